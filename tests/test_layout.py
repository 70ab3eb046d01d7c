"""The order of the modules, what `import posegraph` may load, and where the tests lie."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "posegraph"

# A module imports only from entries above its own. "data.*" stands for all modules of a folder.
ORDER = (
    "_version",
    "errors",
    "_support.*",
    "skeleton.*",
    "weights.*",
    "recipe",
    "data.*",
    "layers.*",
    "folding.*",
    "models.base",
    "registry",
    "models.*",
    "evaluation.*",
    "checkpoint.*",
    "export.*",
    "inference.*",
    "forecast.*",
    "training.*",
    "viz.*",
    "reproduce.*",
    "testing.*",
    "cli.*",
    "__main__",
)
# A model stands alone: each file is one system. Modules of all other folders may import one another.
ALONE = ("models.*",)
PARTS = ("models.authors", "models._")  # what a model's own file may import beside it
# Forbidden although the order would allow it.
FORBIDDEN = {"layers.*": ("data.*", "weights.*"), "models.*": ("data.*", "weights.*")}
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
    if own == other and (own not in ALONE or importer in own or imported.startswith(PARTS)):
        return None
    return None if ORDER.index(other) < ORDER.index(own) else f"{other} does not come before {own}"


def test_modules_import_only_from_above() -> None:
    pairs = [(module, other) for module in MODULES if module for other in sorted(imports_of(module))]
    breaches = [f"{module} imports {other}: {why}" for module, other in pairs if (why := breach(module, other))]
    assert not breaches, "; ".join(breaches)


def test_breaches_are_found() -> None:
    pairs = [
        ("errors", "skeleton.skeleton"),
        ("data.cmu", "layers.pooling"),
        ("layers.pooling", "data.windows"),
        ("layers.pooling", "models.base"),
        ("registry", "models.msrgcn"),
        ("models.base", "registry"),
        ("models.msrgcn", "models.traj_gcn"),
        ("folding.layers", "models.base"),
        ("evaluation.metrics", ""),
        ("evaluation.metrics", "nowhere"),
    ]
    assert [pair for pair in pairs if breach(*pair) is None] == []


def test_allowed_imports_pass() -> None:
    pairs = [
        ("data.cmu", "data.windows"),
        ("layers.blocks", "layers.graph_conv"),
        ("models.msrgcn", "models.base"),
        ("models.msrgcn", "registry"),
        ("models", "models.msrgcn"),
        ("checkpoint.store", "models.base"),
        ("cli", "training"),
    ]
    assert [why for pair in pairs if (why := breach(*pair))] == []


def test_every_way_to_import_is_seen() -> None:
    source = (
        "import numpy, posegraph.metrics\n"
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


def imports_of(module: str) -> set[str]:
    """What a module of the package imports; a package's own name stands for its ``__init__``."""
    path = MODULES[module]
    is_package = path.name == "__init__.py"
    return imported_modules(path.read_text(encoding="utf-8"), module, frozenset(MODULES), is_package=is_package)


def test_no_files_import_one_another_in_a_circle() -> None:
    waiting = {module: imports_of(module) & set(MODULES) - {module} for module in MODULES}
    while free := {module for module, others in waiting.items() if not others & set(waiting)}:
        waiting = {module: others for module, others in waiting.items() if module not in free}
    while above := set(waiting) - set[str]().union(*waiting.values()):
        waiting = {module: others for module, others in waiting.items() if module not in above}
    assert not waiting, f"files in circles, or between two: {sorted(waiting)}"


def test_the_registry_imports_no_model() -> None:
    assert {name for name in imports_of("registry") if name.startswith("models")} <= {"models.base"}


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
