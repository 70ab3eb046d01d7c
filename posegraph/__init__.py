"""posegraph: graph-network layers and published models that forecast 3D human motion.

Submodules such as ``posegraph.registry`` are imported when they are first used.
"""

import importlib
from typing import TYPE_CHECKING, Any

from posegraph._version import __version__

if TYPE_CHECKING:
    from posegraph.inference import optimize

_SUBMODULES = (
    "checkpoint",
    "data",
    "errors",
    "evaluation",
    "export",
    "folding",
    "forecast",
    "inference",
    "layers",
    "models",
    "recipe",
    "registry",
    "reproduce",
    "skeleton",
    "testing",
    "training",
    "viz",
    "weights",
)

__all__ = ["__version__", "optimize"]


def __getattr__(name: str) -> Any:
    if name == "optimize":  # its module loads torch and the models
        return importlib.import_module(f"{__name__}.inference").optimize
    if name in _SUBMODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*__all__, *_SUBMODULES])
