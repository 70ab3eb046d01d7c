"""Tables of names at the top of reference pages.

The line ``<!-- names of posegraph.skeleton -->`` of a page becomes a table of everything that the package exports, each
with the first sentence of its docstring. Sources are read, not imported.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
PLACE = re.compile(r"^<!-- names of ([\w.]+) -->$", flags=re.MULTILINE)


def on_page_markdown(markdown: str, **context: Any) -> str:
    """Put the tables where a page asks for them."""
    return PLACE.sub(lambda match: table(match[1]), markdown)


def table(module: str, names: Sequence[str] | None = None) -> str:
    """Markdown table of names of a module, by default those in its ``__all__``, each linked to its description.

    Raises:
        ValueError: A name has no docstring, or none that can be found by reading.
    """
    rows = ["| name | |", "|---|---|"]
    for name in exported(module) if names is None else names:
        text = docstring(module, name)
        if text is None:
            raise ValueError(f"{module}.{name}: expected a docstring to take the first sentence of, got none.")
        sentence = first_sentence(text).replace("|", r"\|")
        rows.append(f"| [`{name}`][{module}.{name}] | {sentence} |")
    return "\n".join(rows)


def exported(module: str) -> list[str]:
    """Names in a module's ``__all__``."""
    assignments = (node for node in parse(module) if isinstance(node, ast.Assign))
    (listed,) = (node.value for node in assignments if ast.unparse(node.targets[0]) == "__all__")
    return ast.literal_eval(listed)


def docstring(module: str, name: str) -> str | None:
    """Docstring of a name that a module defines or imports from another one."""
    body = parse(module)
    for node, following in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and node.name == name:
            return ast.get_docstring(node)
        if isinstance(node, ast.Assign | ast.AnnAssign):
            target = node.targets[0] if isinstance(node, ast.Assign) else node.target
            if ast.unparse(target) == name and isinstance(following, ast.Expr):
                return ast.literal_eval(following.value)
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                if (alias.asname or alias.name) == name:
                    return docstring(node.module, alias.name)
    return None


def first_sentence(text: str) -> str:
    """The first sentence of a docstring, on one line."""
    paragraph = " ".join(text.strip().split("\n\n")[0].split())
    return re.split(r"(?<=[^\s.][.!?])\s+(?=[A-Z`])", paragraph)[0]


def parse(module: str) -> list[ast.stmt]:
    """Statements of a module or of a package's ``__init__``."""
    path = ROOT.joinpath(*module.split("."))
    source = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(source.read_text(encoding="utf-8")).body
