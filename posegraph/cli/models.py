"""``posegraph list`` and ``posegraph info``."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from tyro.conf import Positional

from posegraph import data, registry, weights
from posegraph.skeleton import presets

__all__ = ["info", "list_names"]


def list_names(pattern: Positional[str] = "*") -> None:
    """List models, trained weights, data sets and skeletons.

    Args:
        pattern: Show only models whose name matches, as in 'msrgcn*'.
    """
    names = registry.names(pattern)
    width = max((len(name) for name in names), default=0)
    print("models")
    for name in names:
        print(f"  {name:<{width}}  {registry.info(name).summary}")
    own = [reference for reference in weights.references() if reference.split("/")[0] in names]
    print("weights")
    for reference in own or ["none"]:
        print(f"  {reference}")
    print(f"data sets\n  {', '.join(data.names())}")
    print(f"skeletons\n  {', '.join(presets.names())}")


def info(name: Positional[str], /, skeleton: str = "h36m") -> None:
    """Describe a model: settings, sizes, training recipe.

    Args:
        name: Registry name of the model.
        skeleton: Skeleton to count parameters for.
    """
    spec = registry.info(name)
    model = registry.build(name, skeleton=skeleton)
    scales = [model.num_joints, *(level.num_groups for level in model.groupings)]
    parameters = sum(p.numel() for p in model.parameters())
    print(f"{name}: {spec.summary}")
    print(f"class       {spec.cls.__module__}.{spec.cls.__qualname__}")
    print(f"skeleton    {model.skeleton.name}, joints at each scale: {', '.join(map(str, scales))}")
    print(f"frames      {model.observed_frames} observed, {model.future_frames} forecast")
    print(f"parameters  {parameters:,}")
    print(f"weights     {', '.join(spec.weights) or 'none'}")
    _print_settings("settings", dataclasses.asdict(spec.config))
    if model.is_trainable:
        _print_settings("recipe", spec.recipe.to_dict())


def _print_settings(title: str, settings: Mapping[str, object]) -> None:
    if settings:
        print(title)
    for key, value in settings.items():
        print(f"  {key} = {value}")
