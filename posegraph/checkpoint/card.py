"""Model cards: what trained weights are, what they were made from, how well they forecast, and what they are not for.

A card is made from the ``config.json`` of a checkpoint alone, so it can be made again at any time and says nothing that
the checkpoint does not. Texts of the checkpoint are escaped: they add no field to the head, no heading and no markup.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from posegraph._support import checkpoint_files
from posegraph._support.markdown import code, scalar, table, text
from posegraph._support.text import mean_and_spread
from posegraph.checkpoint.facts import Facts
from posegraph.checkpoint.results import error_text, results_section
from posegraph.checkpoint.store import read_config
from posegraph.evaluation.result import Result

__all__ = ["model_card"]

_TAGS = ("human-motion-prediction", "motion-forecasting", "graph-neural-network", "skeleton", "pytorch")


def model_card(checkpoint: str | Path | Mapping[str, Any]) -> str:
    """The card of a checkpoint, in Markdown with the YAML head of the Hugging Face Hub.

    Of a checkpoint that `posegraph.checkpoint.pack` made it has results and the commands that made the weights; of
    another one it says what the trainer recorded.

    Args:
        checkpoint: Trained weights, as `posegraph.checkpoint.load` takes them, or the contents of their
            ``config.json``.

    Returns:
        The text of a ``README.md``.

    Raises:
        CheckpointError: There is no checkpoint, or it is damaged.
        UnknownNameError: The model is not registered.

    Examples:
        >>> from posegraph.checkpoint import model_card
        >>> print(model_card("graph-mixer/cmu")[:46])
        ---
        license: mit
        library_name: posegraph
        tags:
    """
    config = checkpoint if isinstance(checkpoint, Mapping) else read_config(checkpoint)
    with checkpoint_files.reporting_damage("config.json" if isinstance(checkpoint, Mapping) else checkpoint):
        facts = Facts(config)
        parts = (_head, _use, _data, _training, results_section, _seeds, _limits, _licence)
        return "\n".join(line for part in parts for line in part(facts)) + "\n"


def _head(facts: Facts) -> Iterator[str]:
    config, skeleton = facts.config, facts.skeleton
    yield from ("---", f"license: {facts.licence}", "library_name: posegraph", "tags:", *(f"- {tag}" for tag in _TAGS))
    if facts.dataset is not None:
        yield from ("datasets:", f"- {scalar(facts.dataset)}")
    yield from ("metrics:", f"- {'euler-angle-error' if skeleton.holds == 'rotations' else 'mpjpe'}", "---", "")
    yield from (f"# {text(facts.name)}", "", facts.spec.summary, "")
    rows = [
        ("model", f"`{code(config['model'])}`, {config['num_parameters']:,} parameters"),
        ("skeleton", f"`{code(skeleton.name)}`: {skeleton.num_joints} joints, {skeleton.num_used} of them seen"),
        ("frames", f"{config['observed_frames']:d} observed, {config['future_frames']:d} forecast"),
        ("numbers", f"{text(config.get('weights', {}).get('dtype', 'float32'))} in the file, float32 in memory"),
    ]
    yield from table(("", ""), rows)


def _use(facts: Facts) -> Iterator[str]:
    yield from ("## Use", "")
    if "reference" in facts.packed:
        model, name = facts.name.split("/")
        yield from ("```python", "from posegraph import registry", "")
        yield from (f"model = registry.build({_quoted(model)}, weights={_quoted(name)})", "```", "")
        yield "where the weights come with the library, and from a folder or repository with these files:"
        yield ""
    yield from ("```text", "from posegraph import checkpoint", "")
    yield from ('model = checkpoint.load("FOLDER or OWNER/NAME")', "```", "")
    yield "`posegraph.forecast.Forecaster(model)` then forecasts full poses, in millimetres."
    yield ""


def _data(facts: Facts) -> Iterator[str]:
    yield from ("## Data", "")
    if facts.dataset is None:
        yield from ("The checkpoint does not record what the weights were trained on.", "")
        return
    yield f"Data set `{code(facts.dataset)}`. {facts.benchmark.source if facts.benchmark else ''}".rstrip()
    yield ""
    for title, key in (("Training clips", "train"), ("Held out for validation", "val")):
        names = facts.training.get(key, ())
        yield f"* {title}, {len(names)}: {text(', '.join(names)) or 'none'}."
    if missing := facts.packed.get("missing"):
        yield f"* Files of the benchmark that were not there: {text(', '.join(missing))}."
    yield ""


def _training(facts: Facts) -> Iterator[str]:
    yield from ("## Training", "")
    training, record = facts.training, facts.record
    if not training:
        yield from ("The checkpoint does not record how the weights were made.", "")
        return

    def value(key: str) -> str:
        return text(training.get(key))

    recipe = ", ".join(f"{key} {value}" for key, value in training.get("recipe", {}).items() if value is not None)
    yield f"* Recipe: {text(recipe)}."
    yield (
        f"* Seed {value('seed')}, precision {value('precision')}, processes {value('processes')}; "
        f"epoch {value('epoch')} of {value('epochs')}."
    )
    yield f"* Selection of the epoch: {text(record.get('selection'))}. Test clips had no part in it."
    if record.get("validation"):
        result = Result.from_json(record["validation"])
        error = f"{error_text(result.mean, result)} {result.protocol.unit}"
        yield f"* Validation error: {error} ({text(result.protocol.describe())})."
    if note := facts.packed.get("note"):
        yield f"* {text(note)}"
    versions = ", ".join(f"{name} {version}" for name, version in facts.config.get("versions", {}).items())
    yield f"* Saved with {text(versions)}."
    yield ""
    if commands := facts.packed.get("commands"):
        yield from ("Made by", "", "```bash", *map(code, commands), "```", "")
        yield "DIR is the folder of the data set, RUN that of the training run."
        yield ""


def _seeds(facts: Facts) -> Iterator[str]:
    yield from ("## Seeds", "")
    runs = facts.packed.get("runs", ())
    if len(runs) < 2:
        seed = text(facts.training.get("seed", "not recorded"))
        yield f"One run, seed {seed}. How far other seeds differ is not known."
        yield ""
        return
    means = [run["test"] for run in runs]
    unit = facts.results[0].protocol.unit
    yield (
        f"{len(runs)} runs, test error {mean_and_spread(means)} {unit} (mean and standard deviation). The weights "
        "are those of the run with the lowest validation error."
    )
    yield ""
    rows = [
        (text(run["seed"]), text(run["epoch"]), f"{run['validation']:.2f}", f"{run['test']:.2f}", "x" * run["kept"])
        for run in runs
    ]
    yield from table(("seed", "epoch", f"validation, {unit}", f"test, {unit}", "kept"), rows)


def _limits(facts: Facts) -> Iterator[str]:
    yield from ("## Intended use", "")
    yield (
        "Research on forecasts of human motion: a baseline to compare with, a start for training on other motion, a "
        "check of a pipeline. Not for decisions on which somebody's safety depends."
    )
    yield from ("", "## Limits", "")
    yield "* One forecast, in the middle of what may follow; it does not say how sure it is."
    yield "* Positions are relative to the root, without its rotation: where the body goes is not forecast."
    if facts.benchmark is not None:
        yield (
            "* Trained on few actions of few people, recorded with markers in a laboratory. Other motion, and the gaps "
            "and noise of other sensors, were not tested."
        )
    fps = None if facts.benchmark is None else facts.true_fps(facts.benchmark.assumed_fps / 2)
    if fps is not None and facts.benchmark is not None:
        label, last = facts.benchmark.assumed_fps / 2, facts.config["future_frames"]
        yield (
            f"* Frame rate: poses are {fps:g} frames a second, and input has to be as well. Papers label the frames as "
            f'if they were {label:g} a second: their "{last * 1000 / label:.0f} ms" is {last * 1000 / fps:.0f} ms.'
        )
    yield "* The skeleton is the one above, its joints in this order; for others train anew."
    yield ""


def _licence(facts: Facts) -> Iterator[str]:
    yield from ("## Licence", "")
    if facts.licence == "mit":
        yield "MIT, as posegraph. Keep the acknowledgement under Data with whatever is made of the weights."
    else:
        yield "The terms of the data that the weights were trained on apply; see Data."


def _quoted(name: str) -> str:
    """A name as a Python string within a code block."""
    return code(json.dumps(name))
