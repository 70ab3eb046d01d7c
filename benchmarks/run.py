"""Run the benchmarks and write a file of results.

    python -m benchmarks.run --device cuda --minutes 8 --out benchmarks/results/gpu.json

The most important cases come first and the file is written after each, so a run may be stopped at any time. The same
command goes on with what is missing.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.harness import results
from benchmarks.harness.case import DEVICES, KINDS
from benchmarks.harness.compare import FAILED
from benchmarks.harness.session import Session
from benchmarks.suites import all as suite
from posegraph import registry


def main(arguments: Sequence[str] | None = None) -> int:
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.run", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--out", type=Path, required=True, help="file of results, made or gone on with")
    parser.add_argument("--device", choices=[*DEVICES, "all"], default="all")
    parser.add_argument("--minutes", type=float, default=10.0, help="for everything; a case under way is finished")
    parser.add_argument("--kinds", nargs="+", choices=KINDS, help="by default all")
    parser.add_argument("--models", nargs="+", choices=registry.names(), metavar="MODEL", help="by default all")
    parser.add_argument("--commit", help="of the code, in a copy without git")
    chosen = parser.parse_args(given)
    os.environ.setdefault("POSEGRAPH_CACHE", "off")  # or what was compiled before would be found there
    cases = suite.cases(
        DEVICES if chosen.device == "all" else [chosen.device], kinds=chosen.kinds, models=chosen.models
    )
    try:
        session = Session(
            cases,
            chosen.out,
            seconds=60 * chosen.minutes,
            command=shlex.join(["python", "-m", "benchmarks.run", *given]),
            commit=chosen.commit,
            report=lambda line: print(line, flush=True),
        )
    except ValueError as error:
        parser.error(str(error))
    for case in cases:
        session.measure(case)
    rows = session.content["rows"]
    failed = [row for row in rows if row.get("skipped", "").startswith(FAILED)]
    print(f"{chosen.out}: {len(rows)} rows, {len(results.measured(rows))} with figures, {len(failed)} that failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
