"""The order of the modules, what `import posegraph` may load, and where the tests lie."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "posegraph"

# A module imports only from entries above its own. "data.*" stands for the modules of a folder.
ORDER = (
    "_version",
    "errors",
    "_checks",
    "_files",
    "_cuda_graphs",
    "_checkpoint_files",
    "weights",
    "grouping",
    "skeleton",
    "skeletons",
    "adjacency",
    "pyg",
    "kinematics",
    "data.*",
    "published",
    "transforms",
    "layers.*",
    "recipe",
    "losses",
    "models.base",
    "registry",
    "models.*",
    "metrics",
    "evaluation",
    "checkpoint",
    "model_card",
    "hub",
    "packing",
    "inference.*",
    "training.*",
    "forecast",
    "joint_errors",
    "viz.*",
    "reproduce.*",
    "testing",
    "cli.*",
    "__main__",
)
# Modules of these folders may import one another. A model stands alone: each file is one published system.
SHARING = ("data.*", "layers.*", "inference.*", "training.*", "viz.*", "reproduce.*", "cli.*")
# Forbidden although the order would allow it.
FORBIDDEN = {"layers.*": ("data.*",), "checkpoint": ("models.*",)}
# Imported inside functions although it lies below: a model has methods that do what these modules do.
DEFERRED = {"models.base": ("hub",)}
HEAVY = ("matplotlib", "tensorboard", "torch_geometric", "tqdm", "tyro")


def module_name(path: Path) -> str:
    """Name below the package: "data.cmu"; a folder's ``__init__`` is the folder, and the package's own is ""."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def entry(module: str) -> str | None:
    """The entry of ORDER that a module belongs to."""
    folder = f"{module.partition('.')[0]}.*"
    return next((name for name in (module, folder) if name in ORDER), None)


def imported_modules(source: str, module: str, modules: frozenset[str], is_package: bool = False) -> set[str]:
    """Names below the package of everything that a module imports from it, at its top or inside functions."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = ["posegraph", *module.split(".")]
                parts = parts[: len(parts) + is_package - node.level]
                base = ".".join([*parts, *([base] if base else [])])
            for alias in node.names:
                full = f"{base}.{alias.name}"
                found.add(full if full.removeprefix("posegraph.") in modules else base)
    return {name.partition(".")[2] for name in found if name.partition(".")[0] == "posegraph"}


def breach(importer: str, imported: str) -> str | None:
    """What is wrong with an import, or None."""
    if imported == "":
        return "import from the module that defines the name, not from the package"
    own, other = entry(importer), entry(imported)
    if own is None or other is None:
        return f"give {importer if own is None else imported!r} a place in ORDER"
    if other in FORBIDDEN.get(own, ()):
        return f"{own} never imports {other}"
    if other in DEFERRED.get(own, ()):
        return None
    if own == other and (own in SHARING or importer in own):
        return None
    return None if ORDER.index(other) < ORDER.index(own) else f"{other} does not come before {own}"


@pytest.mark.parametrize("module", [name for name in MODULES if name])
def test_modules_import_only_from_above(module: str) -> None:
    path = MODULES[module]
    imports = imported_modules(
        path.read_text(encoding="utf-8"), module, frozenset(MODULES), is_package=path.name == "__init__.py"
    )
    breaches = [f"imports {name}: {why}" for name in sorted(imports) if (why := breach(module, name))]
    assert not breaches, f"posegraph/{path.relative_to(PACKAGE)} " + "; ".join(breaches)


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("errors", "skeleton"),
        ("data.cmu", "layers.pooling"),
        ("layers.pooling", "data.windows"),
        ("layers.pooling", "models.base"),
        ("registry", "models.msrgcn"),
        ("models.base", "registry"),
        ("models.msrgcn", "models.traj_gcn"),
        ("checkpoint", "models.msrgcn"),
        ("metrics", ""),
        ("metrics", "nowhere"),
    ],
)
def test_breaches_are_found(importer: str, imported: str) -> None:
    assert breach(importer, imported)


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("data.cmu", "data.windows"),
        ("layers.blocks", "layers.graph_conv"),
        ("models.msrgcn", "models.base"),
        ("models.msrgcn", "registry"),
        ("models", "models.msrgcn"),
        ("checkpoint", "models.base"),
        ("cli", "training"),
    ],
)
def test_allowed_imports_pass(importer: str, imported: str) -> None:
    assert breach(importer, imported) is None


def test_every_way_to_import_is_seen() -> None:
    source = (
        "import numpy, posegraph.evaluation.metrics\n"
        "from posegraph import errors, Skeleton\n"
        "from . import cmu\n"
        "from ..skeleton import Skeleton\n"
        "def later():\n"
        "    from posegraph.layers.pooling import JointPool\n"
    )
    modules = frozenset({"errors", "skeleton", "metrics", "data.cmu", "layers.pooling"})
    expected = {"metrics", "errors", "", "data.cmu", "skeleton", "layers.pooling"}
    assert imported_modules(source, "data.windows", modules) == expected
    assert imported_modules("from . import cmu", "data", modules, is_package=True) == {"data.cmu"}


@pytest.mark.parametrize("module", DEFERRED)
def test_deferred_imports_are_inside_functions(module: str) -> None:
    tree = ast.parse(MODULES[module].read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert not imported_modules(ast.unparse(tree), module, frozenset(MODULES)) & set(DEFERRED[module])


def test_the_registry_imports_no_model() -> None:
    imports = imported_modules(MODULES["registry"].read_text(encoding="utf-8"), "registry", frozenset(MODULES))
    assert {name for name in imports if name.startswith("models")} <= {"models.base"}


def test_importing_the_package_is_light() -> None:
    code = f"import sys, posegraph; print(*sorted(set({HEAVY}) & set(sys.modules)))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert loaded.stdout.split() == []


def defines_public_names(path: Path) -> bool:
    definitions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return any(isinstance(node, definitions) and not node.name.startswith("_") for node in body)


def test_tests_mirror_the_package() -> None:
    missing = []
    for path in MODULES.values():
        folder, name = path.relative_to(PACKAGE).parent, path.stem.strip("_")
        test = Path("tests") / folder / f"test_{name}.py"
        if defines_public_names(path) and not (ROOT / test).is_file():
            missing.append(f"posegraph/{folder / path.name} -> {test}")
    assert not missing, "modules without their tests: " + ", ".join(missing)


def test_examples_have_the_heading_that_the_documentation_reads() -> None:
    heading = re.compile(r"^\s*Example:$", flags=re.MULTILINE)
    wrong = [f"posegraph.{name}" for name, path in MODULES.items() if heading.search(path.read_text(encoding="utf-8"))]
    assert not wrong, "write 'Examples:', which becomes a code block; 'Example:' does not: " + ", ".join(wrong)
