"""One of several training processes: ``torchrun -m tests.training.worker FOLDER``.

`test_distributed` starts it and looks at what it leaves.
Every process trains the same few runs and writes what it ended with to ``FOLDER/RUN-RANK.safetensors`` and ``.json``.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from posegraph import registry
from posegraph.errors import ConfigError
from posegraph.models.base import ForecastModel
from posegraph.recipe import Recipe
from posegraph.training import Options, train
from posegraph.training import run as training_run
from posegraph.training.steps import PlainStep
from tests.training.runs import LinearForecast, motion, small_model

# Twelve windows: three batches of four, two windows a process each.
LENGTHS = (18,)
RECIPE = Recipe.of(learning_rate=1e-2, batch_size=4, epochs=2)
ONE_STEP = Recipe.of(learning_rate=1e-2, batch_size=12, epochs=1)


def main(folder: Path) -> None:
    """Train every run of the tests."""
    registry.register("linear-forecast")(LinearForecast)
    rank = int(os.environ["RANK"])
    training_run._AGREE_STEPS = 1  # notice interruptions at every step, since there are few

    def run(name: str, model: ForecastModel, out: str = "", **options: Any) -> None:
        recipe = options.pop("recipe", RECIPE)
        lines: list[str] = []
        how = Options(**{"validation": [], "report": lines.append, **options})
        result = train(model, motion(LENGTHS), folder / (out or name), recipe=recipe, options=how)
        tensors = {key: value.contiguous() for key, value in model.named_parameters()}
        tensors |= {f"grad.{key}": p.grad for key, p in model.named_parameters() if p.grad is not None}
        save_file(tensors, folder / f"{name}-{rank}.safetensors")
        ended = {
            "finished": result.finished,
            "epochs": result.epochs,
            "best_epoch": result.best_epoch,
            "lines": len(lines),
            "draw": float(torch.rand(())),
        }
        (folder / f"{name}-{rank}.json").write_text(json.dumps(ended))

    run("gradient", small_model("linear-forecast"), recipe=ONE_STEP)
    run("linear", small_model("linear-forecast"))
    run("small", small_model(seed=rank, dropout=0.3))
    run("limited", small_model(dropout=0.0), time_limit=0 if rank == 0 else 1e6)

    with Interrupted(after=4 if rank == 1 else None):
        run("interrupted", small_model(seed=rank, dropout=0.3), out="resumed")
    run("resumed", small_model(seed=7, dropout=0.3), resume=True)

    try:
        train(small_model(), motion((9,)), folder / "few", recipe=RECIPE, options=Options(validation=[]))
    except ConfigError as error:
        (folder / f"few-{rank}.json").write_text(json.dumps(str(error)))
    try:
        train(
            small_model(),
            motion(LENGTHS),
            folder / "tiny",
            recipe=Recipe.of(batch_size=1),
            options=Options(validation=[]),
        )
    except ConfigError as error:
        (folder / f"tiny-{rank}.json").write_text(json.dumps(str(error)))


class Interrupted:
    """Sends this process Ctrl-C after so many steps."""

    def __init__(self, after: int | None) -> None:
        self.left = after
        self.update = PlainStep._update

    def __enter__(self) -> None:
        def update(step: PlainStep, window: torch.Tensor) -> torch.Tensor:
            loss = self.update(step, window)
            if self.left is not None:
                self.left -= 1
                if self.left == 0:
                    os.kill(os.getpid(), signal.SIGINT)
            return loss

        PlainStep._update = update

    def __exit__(self, *error: object) -> None:
        PlainStep._update = self.update


if __name__ == "__main__":
    main(Path(sys.argv[1]))
