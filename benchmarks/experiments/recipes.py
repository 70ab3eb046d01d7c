"""Compare training recipes on held-out training clips: one change at a time, several seeds each.

python -m benchmarks.experiments.recipes --data DIR --out benchmarks/results/accuracy/recipes.json

Test clips are never read. The file is written after each change, and the same command goes on with what is missing.
"""

from __future__ import annotations

import argparse
import dataclasses
import datetime
import json
import shlex
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from benchmarks.harness import machine
from benchmarks.harness.results import write_text
from benchmarks.report.markdown import mean_and_spread
from posegraph import checkpoint, data, registry, training
from posegraph.data.dataset import MotionDataset
from posegraph.evaluation.evaluate import evaluate
from posegraph.evaluation.protocol import Protocol
from posegraph.models.base import ForecastModel

MODULE = "benchmarks.experiments.recipes"
ACTIONS = ("basketball", "jumping", "running", "soccer", "walking")
"""Actions that errors are averaged over: those of which every copy of the benchmark seen so far has all files."""
MODEL = "graph-mixer"
SETTINGS: Mapping[str, Any] = {"channels": 128, "num_heads": 4}
"""Narrower than the library's, so that a comparison takes minutes."""
RECIPE: Mapping[str, Any] = {"epochs": 25, "steps_per_epoch": 70, "learning_rate": 2e-3, "schedule": "cosine"}


@dataclass(frozen=True)
class Change:
    """What a row does in another way than the first one."""

    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    model: str = MODEL
    only_actions: bool = False
    """Train on the actions that are averaged over alone."""


CHANGES = (
    Change("the recipe of graph-mixer, 128 channels, 1,750 steps along a cosine"),
    Change("every window as likely, not every clip", recipe={"sampling": "windows"}),
    Change("trained on the five actions alone", only_actions=True),
    Change("no windows backwards", recipe={"reverse": 0.0}),
    Change("half of the windows backwards", recipe={"reverse": 0.5}),
    Change("no mirrored windows", recipe={"mirror": 0.0}),
    Change("no turned limbs", recipe={"turn": 0.0}),
    Change("limbs turned by 0.3", recipe={"turn": 0.3}),
    Change("no changed speeds", recipe={"speed": 0.0}),
    Change("no mirror images averaged in evaluation", settings={"mirrored": False}),
    Change("plain mean of both sides", settings={"caution": 0.0}),
    Change("no average of the weights", recipe={"averaging": 0.0}),
    Change("no velocity loss", settings={"velocity": 0.0}),
    Change("all frames alike in the loss", settings={"frame_power": 0.0}),
    Change("constant learning rate", recipe={"schedule": "steps"}),
    Change("half the learning rate", recipe={"learning_rate": 1e-3}),
    Change("no dropout", settings={"dropout": 0.0}),
    Change("dropout 0.3", settings={"dropout": 0.3}),
    Change("batches of 256", recipe={"batch_size": 256}),
    Change("one adjacency a block", settings={"num_heads": 1}),
    Change("twelve blocks", settings={"num_blocks": 12}),
    Change("256 channels", settings={"channels": 256, "num_heads": 8}),
    Change("four times the steps", recipe={"epochs": 100}),
)


def main(arguments: Sequence[str] | None = None) -> None:
    given = list(sys.argv[1:] if arguments is None else arguments)
    parser = argparse.ArgumentParser(prog=f"python -m {MODULE}", description=__doc__.partition("\n")[0])
    parser.add_argument("--data", required=True, help="folder of the CMU benchmark, or 'samples'")
    parser.add_argument("--out", type=Path, required=True, help="file of results, made or gone on with")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--minutes", type=float, help="begin no further change after so many")
    parser.add_argument("--device", help="a GPU if there is one")
    parser.add_argument("--commit", help="of the code, in a copy without git")
    options = parser.parse_args(given)
    started = time.monotonic()
    motion = data.load("cmu", options.data, split="train")
    device = options.device or machine.default_device()
    content = json.loads(options.out.read_text(encoding="utf-8")) if options.out.exists() else {"rows": []}
    words = [word if i == 0 or given[i - 1] != "--data" or word == "samples" else "DIR" for i, word in enumerate(given)]
    content |= {
        "command": shlex.join(["python", "-m", MODULE, *words]),
        "commit": options.commit or machine.commit(),
        "date": datetime.date.today().isoformat(),
        "device": _name(torch.device(device)),
        "validation": held_out(motion),
    }
    for change in CHANGES:
        if any(row["name"] == change.name for row in content["rows"]):
            continue
        if options.minutes is not None and time.monotonic() - started >= 60 * options.minutes:
            break
        row = measure(change, motion, seeds=range(options.seeds), device=device)
        content["rows"].append(row)
        write_text(options.out, json.dumps(content, indent=1))
        print(f"{row['name']:55} {mean_and_spread(row['errors'])} mm  {row['seconds']:.0f} s", flush=True)


def held_out(motion: MotionDataset) -> list[str]:
    """The clips to validate on: the longest of each action that is averaged over, which are the least like the rest."""
    clips = [clip for clip in motion.clips["train"] if clip.action in ACTIONS]
    actions = dict.fromkeys(clip.action for clip in clips)
    longest = (max((clip for clip in clips if clip.action == a), key=lambda clip: clip.num_frames) for a in actions)
    return [clip.name for clip in longest]


def measure(
    change: Change, motion: MotionDataset, *, seeds: Sequence[int], device: torch.device | str
) -> dict[str, Any]:
    """Train with a change and give the validation errors in mm, each the least of its run."""
    if change.only_actions:
        kept = tuple(clip for clip in motion.clips["train"] if clip.action in ACTIONS)
        motion = dataclasses.replace(motion, clips={"train": kept})
    settings = (SETTINGS if change.model == MODEL else {}) | change.settings
    recipe = registry.info(change.model).recipe.replace(**{**RECIPE, **change.recipe})
    started = time.monotonic()
    models: list[ForecastModel] = []
    for seed in seeds:
        training.seed_everything(seed)
        models.append(registry.build(change.model, skeleton=motion.skeleton, **settings))
    options = training.Options(validation=held_out(motion), seed=seeds[0], device=device, report=lambda line: None)
    with tempfile.TemporaryDirectory() as folder:
        if len(models) > 1:
            results = training.train_seeds(models, motion, folder, seeds=seeds, recipe=recipe, options=options)
        else:
            results = [training.train(models[0], motion, folder, recipe=recipe, options=options)]
        best = [checkpoint.load(result.folder, device=device) for result in results]
    validated = motion.hold_out(35, held_out(motion))
    protocol = Protocol.named(validated, split="val", actions=ACTIONS)
    together = evaluate(Ensemble(best), validated, protocol).mean if len(best) > 1 else None
    return {
        "name": change.name,
        "model": change.model,
        "settings": dict(settings),
        "recipe": {**RECIPE, **change.recipe},
        "only_actions": change.only_actions,
        "num_parameters": sum(parameter.numel() for parameter in best[0].parameters()),
        "errors": [result.best_error for result in results],
        "epochs": [result.best_epoch for result in results],
        "ensemble": together,
        "seconds": round(time.monotonic() - started, 1),
    }


class Ensemble(ForecastModel):
    """The mean forecast of several models."""

    def __init__(self, models: Sequence[ForecastModel]) -> None:
        first = models[0]
        super().__init__(
            skeleton=first.skeleton, observed_frames=first.observed_frames, future_frames=first.future_frames
        )
        self.models = torch.nn.ModuleList(models)

    def forward(self, observed: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (torch.stack([model(observed)[0] for model in self.models]).mean(0),)


def _name(device: torch.device) -> str:
    described = machine.describe()
    return described["gpu"]["name"] if device.type == "cuda" else machine.processor_name(described)


if __name__ == "__main__":
    main()
