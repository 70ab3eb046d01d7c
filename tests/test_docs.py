"""The documentation covers everything that is public: modules, objects, models, options of the command line."""

from __future__ import annotations

import ast
import contextlib
import functools
import importlib
import io
import re
from collections import Counter
from pathlib import Path

import pytest

from docs import hooks
from posegraph import registry
from posegraph.cli import main

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PACKAGE = ROOT / "posegraph"


# Parts of their packages, not interfaces: what a user needs of them the package exports.
PARTS = (
    "posegraph.checkpoint.facts",
    "posegraph.checkpoint.results",
    "posegraph.cli",
    "posegraph.export.aten",
    "posegraph.export.writer",
    "posegraph.folding.mixer",
    "posegraph.folding.tracing",
    "posegraph.forecast.body",
    "posegraph.forecast.conversion",
    "posegraph.forecast.live",
    "posegraph.forecast.motion_buffer",
    "posegraph.forecast.plausible",
    "posegraph.forecast.streaming",
    "posegraph.inference.",
    "posegraph.models._dmgnn_",
    "posegraph.models.authors",
    "posegraph.skeleton.landmarks",
    "posegraph.skeleton.presets.landmarks",
    "posegraph.skeleton.retarget",
    "posegraph.training.",
)


def public_modules() -> list[str]:
    """Modules and packages whose names and parents' names do not start with an underscore, without the commands."""
    names = []
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        parts = parts[:-1] if parts[-1] == "__init__" else parts
        if parts and parts[0] != "cli" and not any(part.startswith("_") for part in parts):
            names.append(".".join(["posegraph", *parts]))
    return names


def exported(module: str) -> list[str]:
    return list(getattr(importlib.import_module(module), "__all__", ()))


@functools.cache
def body_of(module: str) -> list[ast.stmt]:
    path = ROOT / Path(*module.split("."))
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(source.read_text(encoding="utf-8")).body


def origin(module: str, name: str) -> str:
    """Full name of an object where it is defined, which for names of packages is a module below."""
    for node in body_of(module):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("posegraph"):
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return origin(str(node.module), alias.name)
    return f"{module}.{name}"


def documented_names(module: str) -> set[str]:
    """Names of a module that have a docstring: functions, classes, and assignments followed by a string."""
    body = body_of(module)
    found = set()
    for node, following in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node):
            found.add(node.name)
        target = node.targets[0] if isinstance(node, ast.Assign) else getattr(node, "target", None)
        if (
            isinstance(target, ast.Name)
            and isinstance(following, ast.Expr)
            and isinstance(following.value, ast.Constant)
        ):
            found.add(target.id)
    return found


def objects_on(page: Path) -> list[tuple[str, str]]:
    """Objects that a reference page shows, as modules and names in them; a whole module is ("module", "")."""
    found: list[tuple[str, str]] = []
    for name, options in re.findall(
        r"^::: (\S+)\n((?:    .*\n?)*)", page.read_text(encoding="utf-8"), flags=re.MULTILINE
    ):
        if name not in MODULES:
            module, _, member = name.rpartition(".")
            found.append((module, member))
            continue
        chosen = re.search(r"members: \[(.*)\]", options)
        members = re.split(r",\s*", chosen[1]) if chosen else exported(name)
        found += [(name, ""), *((name, member) for member in members)]
    return found


def pages_in_nav() -> list[str]:
    """Pages that mkdocs.yml lists, in order; read without a YAML parser, since the file has tags of its own."""
    nav = re.search(r"^nav:\n((?: .*\n)+)", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert nav
    return re.findall(r": (\S+\.md)$", nav[1], flags=re.MULTILINE)


MODULES = frozenset(public_modules())
REFERENCE = [shown for page in sorted((DOCS / "reference").glob("*.md")) for shown in objects_on(page)]


def test_every_public_object_is_on_a_reference_page() -> None:
    shown = {origin(module, name) for module, name in REFERENCE if name}
    modules = sorted(module for module in MODULES if not module.startswith(PARTS))
    missing = [f"{module}.{name}" for module in modules for name in exported(module)]
    missing = [name for name in missing if origin(*name.rsplit(".", 1)) not in shown]
    assert not missing, f"not on any page of docs/reference: {', '.join(missing)}"


def test_no_object_is_on_two_reference_pages() -> None:
    counts = Counter(origin(module, name) for module, name in REFERENCE if name)
    assert [name for name, count in counts.items() if count > 1] == []


def test_reference_pages_show_nothing_that_does_not_exist() -> None:
    unknown = [f"{m}.{name}" for m, name in REFERENCE if m not in MODULES or (name and name not in exported(m))]
    assert unknown == []


def test_every_public_object_has_a_docstring() -> None:
    """Without one, its reference page would leave it out."""
    defined = [(m, n) for m in sorted(MODULES) for n in exported(m) if origin(m, n) == f"{m}.{n}"]
    missing = [f"{module}.{name}" for module, name in defined if name not in documented_names(module)]
    assert not missing, f"without a docstring: {', '.join(missing)}"


@pytest.mark.parametrize("package", ["posegraph.layers", "posegraph.models"])
def test_packages_export_what_their_modules_do(package: str) -> None:
    modules = [module for module in MODULES if module.rpartition(".")[0] == package]
    assert set(exported(package)) == {name for module in modules for name in exported(module)}


def test_tables_of_names_have_the_first_sentence_of_each_docstring() -> None:
    lines = hooks.on_page_markdown("# Data\n\n<!-- names of posegraph.data -->\n").splitlines()
    assert lines[:4] == ["# Data", "", "| name | |", "|---|---|"]
    assert len(lines) == 4 + len(exported("posegraph.data"))
    assert "| [`load`][posegraph.data.load] | Read a published benchmark. |" in lines
    assert hooks.first_sentence("Ends at 3.5 mm, see `f`. `f` is next.\n\nMore.") == "Ends at 3.5 mm, see `f`."
    with pytest.raises(ValueError, match=r"posegraph\.data\.nothing: expected a docstring"):
        hooks.table("posegraph.data", ["nothing"])


def test_the_nav_lists_every_page_once() -> None:
    pages = pages_in_nav()
    assert sorted(pages) == sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))


def test_every_model_is_described() -> None:
    for page in (DOCS / "concepts" / "models.md", ROOT / "README.md"):
        text = page.read_text(encoding="utf-8")
        shorter = {
            name: re.sub(r"^msrgcn(?=-\dl$)", "", name) for name in registry.names()
        }  # `msrgcn-3l`, `-2l`, `-1l`
        missing = [name for name, short in shorter.items() if f"`{name}`" not in text and f"`{short}`" not in text]
        assert not missing, f"{page.name} does not mention {', '.join(missing)}"


@pytest.mark.parametrize(("skeleton", "column"), [("h36m", 2), ("cmu", 3)])
def test_parameter_counts_are_right(skeleton: str, column: int) -> None:
    text = (DOCS / "concepts" / "models.md").read_text(encoding="utf-8")
    for name in registry.names():
        count = f"{sum(p.numel() for p in registry.build(name, skeleton=skeleton).parameters()):,}"
        row = re.search(rf"^\| `{name}` \|.*$", text, re.MULTILINE)
        assert row, f"{name} has no row"
        assert (name, row[0].split("|")[column].strip()) == (name, count)


def help_of(command: str) -> str:
    text = io.StringIO()
    with contextlib.redirect_stdout(text), pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    return text.getvalue()


COMMANDS = ["list", "info", "train", "evaluate", "forecast", "plot", "live", "export", "reproduce", "pack", "demo"]


@pytest.mark.parametrize("command", COMMANDS)
def test_every_option_of_the_command_line_is_described(command: str) -> None:
    text = (DOCS / "how-to" / "command-line.md").read_text(encoding="utf-8")
    section = re.search(rf"^## {command}\n(.*?)(?=^## |\Z)", text, flags=re.MULTILINE | re.DOTALL)
    assert section, f"no section on posegraph {command}"
    # Negations of flags (--no-resume beside --resume) follow from the flag.
    shown = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", help_of(command))) - {"--help"}
    options = {option for option in shown if option.replace("--no-", "--", 1) not in shown - {option}}
    assert command == "list" or options
    missing = sorted(option for option in options if f"`{option}" not in section[1])
    assert not missing, f"not described: {', '.join(missing)}"
    described = set(re.findall(r"`(--[a-z-]+)", section[1]))
    assert described <= shown, f"described, but no option: {', '.join(sorted(described - shown))}"
