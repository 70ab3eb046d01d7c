"""The documentation covers everything that is public: modules, objects, models, options of the command line."""

from __future__ import annotations

import ast
import contextlib
import importlib
import io
import re
from pathlib import Path

import pytest

from posegraph import registry
from posegraph.cli import main

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PACKAGE = ROOT / "posegraph"


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


def source_of(module: str) -> Path:
    path = ROOT / Path(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def documented_names(module: str) -> set[str]:
    """Names of a module that have a docstring: functions, classes, and assignments followed by a string."""
    body = ast.parse(source_of(module).read_text(encoding="utf-8")).body
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


def objects_on(page: Path) -> set[str]:
    """Full names of the objects that a reference page shows."""
    found: set[str] = set()
    for name, options in re.findall(
        r"^::: (\S+)\n((?:    .*\n?)*)", page.read_text(encoding="utf-8"), flags=re.MULTILINE
    ):
        found.add(name)
        chosen = re.search(r"members: \[(.*)\]", options)
        members = re.split(r",\s*", chosen[1]) if chosen else exported(name) if name in public_modules() else []
        found |= {f"{name}.{member}" for member in members}
    return found


def pages_in_nav() -> list[str]:
    """Pages that mkdocs.yml lists, in order; read without a YAML parser, since the file has tags of its own."""
    nav = re.search(r"^nav:\n((?: .*\n)+)", (ROOT / "mkdocs.yml").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert nav
    return re.findall(r": (\S+\.md)$", nav[1], flags=re.MULTILINE)


REFERENCE = set[str]().union(*(objects_on(page) for page in (DOCS / "reference").glob("*.md")))


@pytest.mark.parametrize("module", public_modules())
def test_every_public_object_is_on_a_reference_page(module: str) -> None:
    package = module.rpartition(".")[0]
    names = exported(module)
    if package == "posegraph.training":  # the parts of the loop are no interface
        names = [name for name in names if name in exported(package)]
    missing = [f"{module}.{name}" for name in names if not {f"{module}.{name}", f"{package}.{name}"} & REFERENCE]
    assert not missing, f"not on any page of docs/reference: {', '.join(missing)}"


@pytest.mark.parametrize("module", public_modules())
def test_every_public_object_has_a_docstring(module: str) -> None:
    """Without one, its reference page would leave it out."""
    imported = {
        alias.asname or alias.name
        for node in ast.parse(source_of(module).read_text(encoding="utf-8")).body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    missing = set(exported(module)) - documented_names(module) - imported
    assert not missing, f"{module}: without a docstring: {', '.join(sorted(missing))}"


@pytest.mark.parametrize("package", ["posegraph.layers", "posegraph.models"])
def test_packages_export_what_their_modules_do(package: str) -> None:
    modules = [module for module in public_modules() if module.rpartition(".")[0] == package]
    assert set(exported(package)) == {name for module in modules for name in exported(module)}


def test_reference_pages_show_nothing_that_does_not_exist() -> None:
    modules = set(public_modules())
    known = modules | {f"{module}.{name}" for module in modules for name in exported(module)}
    assert known >= REFERENCE, sorted(REFERENCE - known)


def test_the_nav_lists_every_page_once() -> None:
    pages = pages_in_nav()
    assert sorted(pages) == sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))


@pytest.mark.parametrize("name", registry.names())
def test_every_model_is_described(name: str) -> None:
    for page in (DOCS / "concepts" / "models.md", ROOT / "README.md"):
        text = page.read_text(encoding="utf-8")
        short = re.sub(r"^msrgcn(?=-\dl$)", "", name)  # README writes `msrgcn-3l`, `-2l`, `-1l`
        assert f"`{name}`" in text or f"`{short}`" in text, f"{page.name} does not mention {name}"


@pytest.mark.parametrize("skeleton", ["h36m", "cmu"])
@pytest.mark.parametrize("name", registry.names())
def test_parameter_counts_are_right(name: str, skeleton: str) -> None:
    count = sum(p.numel() for p in registry.build(name, skeleton=skeleton).parameters())
    row = re.search(rf"^\| `{name}` \|.*$", (DOCS / "concepts" / "models.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert row
    column = {"h36m": 2, "cmu": 3}[skeleton]
    assert row[0].split("|")[column].strip() == f"{count:,}"
    assert f"{count:,}" in (ROOT / "README.md").read_text(encoding="utf-8")


def help_of(command: str) -> str:
    text = io.StringIO()
    with contextlib.redirect_stdout(text), pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    return text.getvalue()


COMMANDS = ["list", "info", "train", "evaluate", "forecast", "plot", "reproduce", "pack", "demo"]


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
