"""A run of the benchmarks: shares its time among the cases, keeps the results, goes on where an earlier one ended."""

from __future__ import annotations

import datetime
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness import machine, results, roof
from benchmarks.harness.case import ALL, DEVICES, Case, Row
from benchmarks.harness.compare import FAILED, Outcome, compare, least_seconds

_ROOF_S = {"cpu": 2.0, "cuda": 6.0}
_ROOF_AGAIN_S, _ROOF_EVERY_S = 0.5, 30.0  # a shared machine shows what it can do only now and then
CaseKey = tuple[Any, ...]


class Session:
    """Measures cases within a time, and writes the file of results after each.

    Args:
        cases: All cases that will be asked for; the time is shared among them.
        out: File of results; what is in it already is not measured again.
        seconds: Time for everything.
        command: What was called, for the file.
        commit: Commit of the code, where it is not in a git repository.
        report: Called with a line of text after each row.

    Raises:
        ValueError: ``out`` holds results of another machine or commit, or is no file of results.
    """

    def __init__(
        self,
        cases: Sequence[Case],
        out: Path,
        *,
        seconds: float,
        command: str,
        commit: str | None = None,
        report: Callable[[str], object] = lambda line: None,
    ) -> None:
        self.out, self.report = out, report
        self._start = time.perf_counter()
        self._end = self._start + seconds
        self._rows: dict[CaseKey, list[Row]] = {}
        self._facts = {
            "format_version": results.FORMAT_VERSION,
            "command": command,
            "commit": commit or machine.commit(),
            "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
            "seconds": 0.0,
            "machine": machine.describe(),
            "roofs": {},
            "backends": {
                device: machine.missing_backends(device) for device in DEVICES if machine.without_device(device) is None
            },
        }
        self._roofs: dict[str, roof.Roof] = {}
        self._looked: dict[str, float] = {}
        self._spent = 0.0
        if out.exists():
            self._continue(results.read(out))
        self._waiting = {_key(case): case.weight for case in cases if not self._is_done(case)}

    @property
    def content(self) -> dict[str, Any]:
        """The results so far, as they are written."""
        spent = round(self._spent + time.perf_counter() - self._start, 1)
        rows = [results.with_percents(row, self._facts["roofs"]) for rows in self._rows.values() for row in rows]
        return self._facts | {"seconds": spent, "rows": rows}

    def measure(self, case: Case) -> list[Outcome]:
        """The outcomes of a case: measured now, or, without their samples, earlier."""
        if self._is_done(case):
            return [Outcome(row) for row in self._rows[_key(case)]]
        try:
            outcomes = self._measure(case)
        except Exception as error:  # whatever it is, the other cases shall still be measured
            traceback.print_exc()
            outcomes = [_skipped(f"{FAILED}: {type(error).__name__}: {str(error).partition(chr(10))[0]}")]
        load = machine.load()
        labelled = [
            Outcome({**case.labels, **outcome.row, **(load if "time_ms" in outcome.row else {})}, outcome.samples)
            for outcome in outcomes
        ]
        self._rows[_key(case)] = [outcome.row for outcome in labelled]
        results.write(self.out, self.content)
        for outcome in labelled:
            self.report(_line(case, outcome.row))
        return labelled

    def _measure(self, case: Case) -> list[Outcome]:
        weight, others = self._waiting.pop(_key(case)), sum(self._waiting.values())
        why = machine.without_device(case.device)
        if why is not None:
            return [_skipped(why)]
        if time.perf_counter() > self._end:
            return [_skipped("the time of the run was over")]
        ceiling = self._roof(case.device)
        left = max(0.0, self._end - time.perf_counter())
        share = left * weight / (weight + others)
        comparison = case.prepare()
        needed = least_seconds(comparison, ceiling)
        patience = min(case.patience * share, left)
        if needed > patience:
            return [_skipped(f"needs about {needed:.2g} s, more than the {share:.2g} s that are its share")]
        return compare(
            comparison, case.device, seconds=share, min_calls=case.min_calls, patience=patience, roof=ceiling
        )

    def _roof(self, device: str) -> roof.Roof:
        """The highest ceilings seen so far; measured again from time to time."""
        now = time.perf_counter()
        if now - self._looked.get(device, float("-inf")) > _ROOF_EVERY_S:
            seconds = _ROOF_AGAIN_S if device in self._looked else _ROOF_S[device]
            seen = roof.measure(device, seconds=min(seconds, (self._end - now) / 20))
            self._roofs[device] = seen.or_higher(self._roofs.get(device))
            self._facts["roofs"][device] = self._roofs[device].to_json()
            self._looked[device] = time.perf_counter()
        return self._roofs[device]

    def _is_done(self, case: Case) -> bool:
        rows = self._rows.get(_key(case), [])
        return any("skipped" not in row for row in rows)

    def _continue(self, earlier: dict[str, Any]) -> None:
        for fact in ("commit", "machine"):
            if earlier[fact] != self._facts[fact]:
                raise ValueError(
                    f"{self.out}: expected results of this {fact}, {self._facts[fact]}, to go on with; found those of "
                    f"{earlier[fact]}. Name another file, or delete this one."
                )
        if earlier["command"] != self._facts["command"]:
            self._facts["command"] = f"{earlier['command']} && {self._facts['command']}"
        self._spent = earlier["seconds"]
        self._facts["roofs"] = earlier["roofs"]
        self._roofs = {device: roof.Roof(**ceilings) for device, ceilings in earlier["roofs"].items()}
        for row in earlier["rows"]:
            self._rows.setdefault(tuple(row[label] for label in results.LABELS)[:-2], []).append(row)


def _key(case: Case) -> CaseKey:
    return tuple(case.labels.values())


def _skipped(why: str) -> Outcome:
    variant, precision = ALL
    return Outcome({"variant": variant, "precision": precision, "skipped": why})


def _line(case: Case, row: Row) -> str:
    what = f"{case} {row['variant']} {row['precision']}"
    if "skipped" in row:
        return f"{what}: skipped: {row['skipped']}"
    ratio = f", ratio {row['ratio']:.2f}" if "ratio" in row else ""
    return f"{what}: {row['time_ms']:.4g} ms{ratio}, {row['calls']} calls"
