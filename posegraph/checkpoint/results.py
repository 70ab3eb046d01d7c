"""Errors of a checkpoint in its card: by action and frame, beside zero velocity and published numbers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from posegraph._support.markdown import table, text
from posegraph.checkpoint.facts import Facts
from posegraph.evaluation import published
from posegraph.evaluation.result import Result

__all__ = ["error_text", "published_beside", "results_section"]


def results_section(facts: Facts) -> Iterator[str]:
    """Lines of the section Results."""
    yield from ("## Results", "")
    if not facts.results:
        yield from ("Not evaluated on test clips.", "")
    for result, baseline in zip(facts.results, facts.baselines, strict=True):
        seen = facts.seen(result)
        yield f"Protocol: {text(result.protocol.describe())}."
        yield from ("", *_frames(facts, result), "")
        yield from _action_table(result, baseline, seen)
        yield from _comparison(result.select(seen), baseline.select(seen))
        unseen = [action for action in result.actions if action in facts.unseen]
        if unseen:
            yield from ("Actions that have no training clip, and are in no average above:", "")
            yield from _action_table(result, baseline, unseen, mean=False)
        if result.missing:
            yield f"No test clips were there of {text(', '.join(result.missing))}."
            yield ""
    if bundled := facts.packed.get("bundled"):
        result = Result.from_json(bundled["result"])
        yield (
            f"On the clips that come with posegraph the mean error is {error_text(result.mean, result)} "
            f"{result.protocol.unit} ({text(', '.join(result.actions))}); the tests of the library measure it again. "
            f"Rounding the weights to {text(facts.config['weights']['dtype'])} moved no error there by more than "
            f"{bundled['rounding']:.2g} {result.protocol.unit}."
        )
        yield ""


def _frames(facts: Facts, result: Result) -> Iterator[str]:
    rate = result.protocol.label_fps
    if rate is None:
        return
    labels = ", ".join(f"{(frame + 1) * 1000 / rate:.0f}" for frame in result.protocol.frames)
    yield f"Forecast frames count from 0; papers label those below {labels} ms."
    if true := facts.true_fps(rate):
        times = ", ".join(f"{(frame + 1) * 1000 / true:.0f}" for frame in result.protocol.frames)
        yield f"The labels assume {rate:g} frames a second. The data has {true:g}: the true times are {times} ms."


def _action_table(result: Result, baseline: Result, actions: Sequence[str], mean: bool = True) -> Iterator[str]:
    rows: list[tuple[str, ...]] = []
    for action in actions:
        own, other = result.actions[action], baseline.actions[action]
        rows.append(
            (text(action), str(own.windows), *_row(own.errors, result), error_text(_mean(other.errors), result))
        )
    if mean:
        own, other = result.select(actions), baseline.select(actions)
        rows.append((f"**mean of {len(actions)}**", "", *_row(own.errors, result), error_text(other.mean, result)))
    head = ("action", "windows", *(f"frame {frame}" for frame in result.protocol.frames), "mean", "zero velocity, mean")
    yield f"Errors in {result.protocol.unit}:"
    yield from ("", *table(head, rows))


def _comparison(result: Result, baseline: Result) -> Iterator[str]:
    """Errors beside published ones of the same actions, where all of them are printed one by one."""
    rows = published_beside(result)
    if not rows:
        return
    frames = len(result.protocol.frames)
    here = (("**this model**", result), ("zero velocity", baseline))
    yield "Means over these actions, beside published numbers of the same actions:"
    yield ""
    yield from table(
        ("system", "source", *(f"frame {frame}" for frame in result.protocol.frames), "mean"),
        [
            *((label, "evaluated here", *_row(own.errors, result)) for label, own in here),
            *((system, source, *_row(_means(by_action), result)) for system, source, by_action in rows),
        ],
    )
    yield f"Means over these {frames} frames, by action:"
    yield ""
    yield from table(
        ("system", "source", *map(text, result.actions), "mean"),
        [
            *(
                (label, "evaluated here", *_row([_mean(own.actions[a].errors) for a in result.actions], result))
                for label, own in here
            ),
            *((system, source, *_row([_mean(own) for own in by_action], result)) for system, source, by_action in rows),
        ],
    )
    yield "Published systems may have been trained on more clips, and many chose their epoch by the test error."
    yield ""


def published_beside(result: Result) -> list[tuple[str, str, list[list[float]]]]:
    """Published errors that a result can stand beside: those of the same protocol, action by action.

    Args:
        result: Errors on a benchmark.

    Returns:
        System, source, and errors by action and frame, of the sources that have all of them.
    """
    protocol = result.protocol
    if protocol.joints != "full" or protocol.split != "test":
        return []
    fields: dict[str, Any] = {key: getattr(protocol, key) for key in ("dataset", "windows", "metric", "future_frames")}
    found: list[tuple[str, str, list[list[float]]]] = []
    for system in published.systems():
        for source in published.sources():
            values = [
                [published.mean(system, (action,), (frame,), source=source, **fields) for frame in protocol.frames]
                for action in result.actions
            ]
            errors = [[value.mm for value in own if value is not None] for own in values]
            if all(len(own) == len(protocol.frames) for own in errors):
                found.append((system, source, errors))
    return found


def _mean(numbers: Sequence[float]) -> float:
    return sum(numbers) / len(numbers)


def _means(rows: Sequence[Sequence[float]]) -> list[float]:
    return [_mean(column) for column in zip(*rows, strict=True)]


def _row(errors: Sequence[float], result: Result) -> list[str]:
    return [error_text(error, result) for error in (*errors, _mean(errors))]


def error_text(error: float, result: Result) -> str:
    """An error with as many digits as its unit deserves."""
    return f"{error:.{2 if result.protocol.unit == 'mm' else 3}f}"
