"""posegraph: graph-network layers and published models that forecast 3D human motion.

Submodules such as ``posegraph.registry`` are imported when they are first used.
"""

import importlib
from types import ModuleType

from posegraph._version import __version__

_SUBMODULES = (
    "adjacency",
    "checkpoint",
    "data",
    "errors",
    "evaluation",
    "forecast",
    "grouping",
    "joint_errors",
    "kinematics",
    "layers",
    "losses",
    "metrics",
    "models",
    "published",
    "pyg",
    "recipe",
    "registry",
    "reproduce",
    "skeleton",
    "skeletons",
    "testing",
    "training",
    "transforms",
    "viz",
)

__all__ = ["__version__"]


def __getattr__(name: str) -> ModuleType:
    if name in _SUBMODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_SUBMODULES])
