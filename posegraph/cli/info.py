"""``posegraph info``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from tyro.conf import Positional

from posegraph import checkpoint, registry
from posegraph._support import checkpoint_files
from posegraph._support.markdown import line
from posegraph.checkpoint.facts import Facts
from posegraph.cli.options import is_model_name
from posegraph.evaluation.result import Result
from posegraph.weights.reference import resolve

__all__ = ["info"]


def info(name: Positional[str], /, skeleton: str = "h36m") -> None:
    """Describe a model, or trained weights: where they come from, and how well they forecast.

    Args:
        name: Registry name of a model, or a trained one as 'evaluate' takes it: folder of a checkpoint, weights of the
            library such as graph-mixer/cmu, or a repository OWNER/NAME of the Hugging Face Hub.
        skeleton: Skeleton to count the parameters of a model for; trained weights have their own.
    """
    if is_model_name(name):
        _describe_model(name, skeleton)
    else:
        _describe_weights(name)


def _describe_model(name: str, skeleton: str) -> None:
    """Settings, sizes, training recipe."""
    spec = registry.info(name)
    model = registry.build(name, skeleton=skeleton)
    scales = [model.num_joints, *(level.num_groups for level in model.groupings)]
    parameters = sum(p.numel() for p in model.parameters())
    print(f"{name}: {spec.summary}")
    print(f"class       {spec.cls.__module__}.{spec.cls.__qualname__}")
    print(f"skeleton    {model.skeleton.name}, joints at each scale: {', '.join(map(str, scales))}")
    print(f"frames      {model.observed_frames} observed, {model.future_frames} forecast")
    print(f"parameters  {parameters:,}")
    print(f"weights     {', '.join(f'{name}/{own}' for own in spec.weights) or 'none'}")
    _print_settings("settings", dataclasses.asdict(spec.config))
    if model.is_trainable:
        _print_settings("recipe", spec.recipe.to_dict())


def _describe_weights(reference: str) -> None:
    """The essentials of the card: data, protocol, errors, commands."""
    found = resolve(reference, models=registry.names())
    with checkpoint_files.reporting_damage(found.path):
        facts = Facts(checkpoint.read_config(found))
        config, training = facts.config, facts.training
        rows = [
            ("model", f"{config['model']}, {config['num_parameters']:,} parameters"),
            ("skeleton", f"{facts.skeleton.name}: {facts.skeleton.num_joints} joints, {facts.skeleton.num_used} seen"),
            ("frames", f"{config['observed_frames']} observed, {config['future_frames']} forecast"),
            ("data", _data(facts)),
        ]
        if training:
            rows.append(("trained", f"seed {training.get('seed')}, epoch {training.get('epoch')}"))
        if facts.record.get("selection"):
            rows.append(("selection", facts.record["selection"]))
        for result, baseline in zip(facts.results, facts.baselines, strict=True):
            seen = facts.seen(result)
            own, still = result.select(seen), baseline.select(seen)
            frames = ", ".join(f"{at} {error:.2f}" for at, error in zip(own.protocol.frames, own.errors, strict=True))
            rows.append(("protocol", own.protocol.describe()))
            rows.append(("errors", f"{own.protocol.unit} at frame {frames}; mean {own.mean:.2f}"))
            rows.append(("", f"zero velocity: mean {still.mean:.2f}"))
        if not facts.results and facts.record.get("validation"):
            result = Result.from_json(facts.record["validation"])
            rows.append(("validation", f"{result.mean:.2f} {result.protocol.unit} ({result.protocol.describe()})"))
        rows += [("command", command) for command in facts.packed.get("commands", ())]
        lines = [f"{title:<11} {line(value)}" for title, value in [*rows, ("folder", str(found.path))]]
    print(f"{found.label}: {facts.spec.summary}")
    print("\n".join(lines))


def _data(facts: Facts) -> str:
    if facts.dataset is None:
        return "not recorded"
    counts = [len(facts.training.get(key, ())) for key in ("train", "val")]
    return f"{facts.dataset}: {counts[0]} clips, {counts[1]} held out for validation; licence {facts.licence}"


def _print_settings(title: str, settings: Mapping[str, object]) -> None:
    if settings:
        print(title)
    for key, value in settings.items():
        print(f"  {key} = {value}")
