"""``posegraph list``: everything that has a name, at once.

The names are read from the source of the built-in modules, because importing PyTorch takes longer than all the rest.
Where plugins are installed, the registries themselves are asked.
"""

from __future__ import annotations

import ast
import fnmatch
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

from tyro.conf import Positional

__all__ = ["built_in", "list_names"]

_PACKAGE = Path(__file__).parents[1]
_KINDS = {
    "models": "models",
    "skeletons": "skeleton/presets",
    "data sets": "data/benchmarks",
    "formats": "data/formats",
}
"""What is listed, and the folder whose modules register it."""
_GROUPS = ("posegraph.models", "posegraph.skeletons", "posegraph.datasets", "posegraph.formats")


def list_names(pattern: Positional[str] = "*") -> None:
    """List models, trained weights, skeletons, data sets and file formats.

    Args:
        pattern: Show only names that match, as in 'msrgcn*'.
    """
    plugins = any(entry_points(group=group) for group in _GROUPS)
    tables = _registered() if plugins else {kind: built_in(folder) for kind, folder in _KINDS.items()}
    tables["weights"] = dict.fromkeys(
        sorted(
            file.parent.relative_to(_PACKAGE / "weights").as_posix()
            for file in _PACKAGE.glob("weights/*/*/config.json")
        ),
        "",
    )
    for kind, table in tables.items():
        names = sorted(fnmatch.filter(table, pattern if kind != "weights" or "/" in pattern else f"{pattern}/*"))
        if names or pattern == "*":
            print(kind)
        width = max(map(len, names), default=0)
        for name in names:
            print(f"  {name:<{width}}  {table[name]}".rstrip())


def built_in(folder: str) -> dict[str, str]:
    """Names that the modules of a folder register, with one line each.

    Args:
        folder: Folder below the package.

    Examples:
        >>> from posegraph.cli.listing import built_in
        >>> built_in("models")["zero-velocity"]
        'Repeats the last observed pose; the baseline that every model must beat.'
    """
    found: dict[str, str] = {}
    for file in sorted((_PACKAGE / folder).glob("*.py")):
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            documented = isinstance(node, ast.ClassDef | ast.FunctionDef)
            line = (ast.get_docstring(node) or "").partition("\n")[0] if documented else ""
            calls = node.decorator_list if documented else [node.value] if isinstance(node, ast.Expr) else []
            for call in _registrations(calls):
                name = ast.literal_eval(call.args[0])
                said = next((ast.literal_eval(word.value) for word in call.keywords if word.arg == "summary"), line)
                found[name] = said
    return found


def _registrations(calls: list[ast.expr]) -> Iterator[ast.Call]:
    for call in calls:
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) and call.func.id == "register":
            yield call


def _registered() -> dict[str, dict[str, str]]:
    from posegraph import data, registry
    from posegraph.data import benchmarks, formats
    from posegraph.skeleton import presets

    return {
        "models": {name: registry.info(name).summary for name in registry.names()},
        "skeletons": {name: presets.info(name).summary for name in presets.names()},
        "data sets": {name: benchmarks.get(name).summary for name in data.names()},
        "formats": {name: formats.info(name).summary for name in formats.names()},
    }
