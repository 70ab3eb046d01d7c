"""Model cards: what trained weights are, what they were made from, how well they forecast, and what they are not for.

A card is made from the ``config.json`` of a checkpoint alone, so it can be made again at any time and says nothing that
the checkpoint does not.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from posegraph import data, registry
from posegraph._support.text import markdown_table, mean_and_spread
from posegraph.checkpoint.store import read_config
from posegraph.evaluation import published
from posegraph.evaluation.result import Result
from posegraph.skeleton.skeleton import Skeleton

__all__ = ["model_card", "published_beside"]

_TAGS = ("human-motion-prediction", "motion-forecasting", "graph-neural-network", "skeleton", "pytorch")
_LICENSES = {"cmu": "mit"}  # by data set, for the YAML head; weights made from other data are bound by terms of theirs


def model_card(checkpoint: str | Path | Mapping[str, Any]) -> str:
    """The card of a checkpoint, in Markdown with the YAML head of the Hugging Face Hub.

    Of a checkpoint that `posegraph.checkpoint.pack` made it has results and the commands that made the weights; of
    another one it says what the trainer recorded.

    Args:
        checkpoint: A checkpoint or run folder, or the contents of its ``config.json``.

    Returns:
        The text of a ``README.md``.

    Raises:
        CheckpointError: There is no checkpoint, or it is damaged.
        UnknownNameError: The model is not registered.

    Examples:
        >>> import tempfile
        >>> from posegraph import checkpoint, registry
        >>> from posegraph.checkpoint import model_card
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     card = model_card(checkpoint.save_checkpoint(registry.build("zero-velocity"), folder))
        >>> print(card[:48])
        ---
        license: other
        library_name: posegraph
        tags:
    """
    config = checkpoint if isinstance(checkpoint, Mapping) else read_config(checkpoint)
    facts = _Facts(config)
    sections = [
        *_head(facts),
        *_use(facts),
        *_data(facts),
        *_training(facts),
        *_results(facts),
        *_seeds(facts),
        *_limits(facts),
        *_license(facts),
    ]
    return "\n".join(sections) + "\n"


class _Facts:
    """What a ``config.json`` says, as the sections need it."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config
        self.record: Mapping[str, Any] = config["record"]
        training = self.record.get("training")  # notes are free in form
        self.training: Mapping[str, Any] = training if isinstance(training, Mapping) else {}
        self.packed: Mapping[str, Any] = self.record.get("packed", {})
        self.spec = registry.info(config["model"])
        self.skeleton = Skeleton.from_dict(config["skeleton"])
        self.name: str = self.packed.get("reference", config["model"])
        self.dataset: str | None = self.training.get("dataset")
        self.benchmark = data.info(self.dataset) if self.dataset in data.names() else None
        self.results = [Result.from_json(own["result"]) for own in self.packed.get("evaluation", ())]
        self.baselines = [Result.from_json(own["zero_velocity"]) for own in self.packed.get("evaluation", ())]
        self.unseen: Sequence[str] = self.packed.get("unseen", ())

    @property
    def license(self) -> str:
        return _LICENSES.get((self.dataset or "").removesuffix("-angles"), "other")

    def true_fps(self, label_fps: float) -> float | None:
        """Frames a second behind the labels of tables, where these are conventional."""
        benchmark = self.benchmark
        if benchmark is None or benchmark.native_fps == benchmark.assumed_fps:
            return None
        return label_fps * benchmark.native_fps / benchmark.assumed_fps


def _head(facts: _Facts) -> Iterator[str]:
    config, skeleton = facts.config, facts.skeleton
    yield from ("---", f"license: {facts.license}", "library_name: posegraph", "tags:", *(f"- {tag}" for tag in _TAGS))
    if facts.dataset is not None:
        yield from ("datasets:", f"- {facts.dataset}")
    yield from ("metrics:", f"- {'euler-angle-error' if skeleton.holds == 'rotations' else 'mpjpe'}", "---", "")
    yield from (f"# {facts.name}", "", facts.spec.summary, "")
    rows = [
        ("model", f"`{config['model']}`, {config['num_parameters']:,} parameters"),
        ("skeleton", f"`{skeleton.name}`: {skeleton.num_joints} joints, {skeleton.num_used} of them seen"),
        ("frames", f"{config['observed_frames']} observed, {config['future_frames']} forecast"),
        ("numbers", f"{config.get('weights', {}).get('dtype', 'float32')} in the file, float32 in memory"),
    ]
    yield from _table(("", ""), rows)


def _use(facts: _Facts) -> Iterator[str]:
    yield from ("## Use", "")
    if "reference" in facts.packed:
        _, name = facts.name.split("/")
        yield from ("```python", "from posegraph import registry", "")
        yield from (f'model = registry.build("{facts.config["model"]}", weights="{name}")', "```", "")
        yield "where the weights come with the library, and from a folder or repository with these files:"
        yield ""
    yield from ("```text", "from posegraph.models import ForecastModel", "")
    yield from ('model = ForecastModel.from_pretrained("FOLDER or OWNER/NAME")', "```", "")
    yield "`posegraph.forecast.Forecaster(model)` then forecasts full poses, in millimetres."
    yield ""


def _data(facts: _Facts) -> Iterator[str]:
    yield from ("## Data", "")
    if facts.dataset is None:
        yield from ("The checkpoint does not record what the weights were trained on.", "")
        return
    yield f"Data set `{facts.dataset}`. {facts.benchmark.source if facts.benchmark else ''}".rstrip()
    yield ""
    for title, key in (("Training clips", "train"), ("Held out for validation", "val")):
        names = facts.training.get(key, ())
        yield f"* {title}, {len(names)}: {', '.join(names) or 'none'}."
    if missing := facts.packed.get("missing"):
        yield f"* Files of the benchmark that were not there: {', '.join(missing)}."
    yield ""


def _training(facts: _Facts) -> Iterator[str]:
    yield from ("## Training", "")
    training, record = facts.training, facts.record
    if not training:
        yield from ("The checkpoint does not record how the weights were made.", "")
        return
    recipe = ", ".join(f"{key} {value}" for key, value in training.get("recipe", {}).items() if value is not None)
    yield f"* Recipe: {recipe}."
    yield (
        f"* Seed {training.get('seed')}, precision {training.get('precision')}, processes {training.get('processes')}; "
        f"epoch {training.get('epoch')} of {training.get('epochs')}."
    )
    yield f"* Selection of the epoch: {record.get('selection')}. Test clips had no part in it."
    if record.get("validation"):
        result = Result.from_json(record["validation"])
        error = f"{_number(result.mean, result)} {result.protocol.unit}"
        yield f"* Validation error: {error} ({result.protocol.describe()})."
    if note := facts.packed.get("note"):
        yield f"* {note}"
    versions = ", ".join(f"{name} {version}" for name, version in facts.config.get("versions", {}).items())
    yield f"* Saved with {versions}."
    yield ""
    if commands := facts.packed.get("commands"):
        yield from ("Made by", "", "```bash", *commands, "```", "")
        yield "DIR is the folder of the data set, RUN that of the training run."
        yield ""


def _results(facts: _Facts) -> Iterator[str]:
    yield from ("## Results", "")
    if not facts.results:
        yield from ("Not evaluated on test clips.", "")
    for result, baseline in zip(facts.results, facts.baselines, strict=True):
        seen = [action for action in result.actions if action not in facts.unseen]
        yield f"Protocol: {result.protocol.describe()}."
        yield from ("", *_frames(facts, result), "")
        yield from _action_table(result, baseline, seen)
        yield from _comparison(result.select(seen), baseline.select(seen))
        unseen = [action for action in result.actions if action in facts.unseen]
        if unseen:
            yield from ("Actions that have no training clip, and are in no average above:", "")
            yield from _action_table(result, baseline, unseen, mean=False)
        if result.missing:
            yield f"No test clips were there of {', '.join(result.missing)}."
            yield ""
    if bundled := facts.packed.get("bundled"):
        result = Result.from_json(bundled["result"])
        yield (
            f"On the clips that come with posegraph the mean error is {_number(result.mean, result)} "
            f"{result.protocol.unit} ({', '.join(result.actions)}); the tests of the library measure it again. "
            f"Rounding the weights to {facts.config['weights']['dtype']} moved no error there by more than "
            f"{bundled['rounding']:.2g} {result.protocol.unit}."
        )
        yield ""


def _frames(facts: _Facts, result: Result) -> Iterator[str]:
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
        rows.append((action, str(own.windows), *_row(own.errors, result), _number(_mean(other.errors), result)))
    if mean:
        own, other = result.select(actions), baseline.select(actions)
        rows.append((f"**mean of {len(actions)}**", "", *_row(own.errors, result), _number(other.mean, result)))
    head = ("action", "windows", *(f"frame {frame}" for frame in result.protocol.frames), "mean", "zero velocity, mean")
    yield f"Errors in {result.protocol.unit}:"
    yield from ("", *_table(head, rows))


def _comparison(result: Result, baseline: Result) -> Iterator[str]:
    """Errors beside published ones of the same actions, where all of them are printed one by one."""
    rows = published_beside(result)
    if not rows:
        return
    frames = len(result.protocol.frames)
    here = (("**this model**", result), ("zero velocity", baseline))
    yield "Means over these actions, beside published numbers of the same actions:"
    yield ""
    yield from _table(
        ("system", "source", *(f"frame {frame}" for frame in result.protocol.frames), "mean"),
        [
            *((label, "evaluated here", *_row(own.errors, result)) for label, own in here),
            *((system, source, *_row(_means(by_action), result)) for system, source, by_action in rows),
        ],
    )
    yield f"Means over these {frames} frames, by action:"
    yield ""
    yield from _table(
        ("system", "source", *result.actions, "mean"),
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


def _seeds(facts: _Facts) -> Iterator[str]:
    yield from ("## Seeds", "")
    runs = facts.packed.get("runs", ())
    if len(runs) < 2:
        yield f"One run, seed {facts.training.get('seed', 'not recorded')}. How far other seeds differ is not known."
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
        (f"{run['seed']}", f"{run['epoch']}", f"{run['validation']:.2f}", f"{run['test']:.2f}", "x" * run["kept"])
        for run in runs
    ]
    yield from _table(("seed", "epoch", f"validation, {unit}", f"test, {unit}", "kept"), rows)


def _limits(facts: _Facts) -> Iterator[str]:
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


def _license(facts: _Facts) -> Iterator[str]:
    yield from ("## Licence", "")
    if facts.license == "mit":
        yield "MIT, as posegraph. Keep the acknowledgement under Data with whatever is made of the weights."
    else:
        yield "The terms of the data that the weights were trained on apply; see Data."


def _row(errors: Sequence[float], result: Result) -> list[str]:
    return [_number(error, result) for error in (*errors, _mean(errors))]


def _number(error: float, result: Result) -> str:
    return f"{error:.{2 if result.protocol.unit == 'mm' else 3}f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> Iterator[str]:
    """A Markdown table; columns from the third on are numbers, aligned to the right."""
    yield from (*markdown_table(head, list(rows), "ll").splitlines(), "")
