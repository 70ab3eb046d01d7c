"""The command line: ``posegraph`` or ``python -m posegraph``."""

from __future__ import annotations

import ast
import contextlib
import importlib
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path

from posegraph._version import __version__
from posegraph.errors import PosegraphError, UnknownNameError

__all__ = ["COMMANDS", "main"]

COMMANDS = {
    "demo": "demo:demo",
    "forecast": "forecast:forecast",
    "list": "listing:list_names",
    "info": "info:info",
    "train": "train:train",
    "evaluate": "evaluate:evaluate",
    "plot": "plot:plot",
    "view": "view:view",
    "live": "live:live",
    "export": "export:export",
    "reproduce": "reproduce:reproduce",
    "pack": "pack:pack",
    "data": "data:data",
}
"""Command to the module and function that runs it; only that module is imported."""
_HELP, _TRACEBACK = ("-h", "--help"), "--traceback"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: Command and options; those of the process by default.

    Returns:
        Exit status: 0, or 2 after an error that the message explains, 1 after one that is posegraph's own, or 130 after
        an interruption.
    """
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError):  # a terminal without such a letter gets another one
            stream.reconfigure(errors="replace")  # pyright: ignore[reportAttributeAccessIssue]
    words = list(sys.argv[1:] if arguments is None else arguments)
    with_traceback = _TRACEBACK in words
    words = [word for word in words if word != _TRACEBACK]
    if not words or words[0] in _HELP:
        print(_help(), file=sys.stdout if words else sys.stderr)
        return 0 if words else 2
    if words[0] == "--version":
        print(f"posegraph {__version__}")
        return 0
    try:
        with warnings.catch_warnings():
            warnings.showwarning = _show_warning
            _run(words[0], words[1:])
    except KeyboardInterrupt:
        print("posegraph: interrupted", file=sys.stderr)
        return 130
    except Exception as error:  # the last resort of every command
        if with_traceback:
            raise
        if isinstance(error, PosegraphError | OSError):
            print(f"posegraph: error: {error}", file=sys.stderr)
            return 2
        text = " ".join(str(error).split())
        print(
            f"posegraph: unexpected error: {type(error).__name__}: {text} ({_TRACEBACK} shows where)", file=sys.stderr
        )
        return 1
    return 0


def _show_warning(message: Warning | str, category: type[Warning], *_: object, **__: object) -> None:
    """One line, as errors are; warnings of other packages keep their name."""
    name = "warning" if category.__module__.startswith("posegraph") else category.__name__
    print(f"posegraph: {name}: {' '.join(str(message).split())}", file=sys.stderr)


def _run(command: str, words: list[str]) -> None:
    if command not in COMMANDS:
        raise UnknownNameError("command", command, COMMANDS)
    import tyro

    module, _, function = COMMANDS[command].partition(":")
    tyro.cli(
        getattr(importlib.import_module(f"{__name__}.{module}"), function),
        args=words,
        prog=f"posegraph {command}",
        config=(tyro.conf.OmitArgPrefixes,),
    )


def _help() -> str:
    width = max(map(len, COMMANDS))
    lines = [f"  {command:<{width}}  {_summary(command)}" for command in COMMANDS]
    return "\n".join(
        (
            "usage: posegraph COMMAND [options]",
            "",
            "Forecast 3D human motion with graph networks.",
            "",
            *lines,
            "",
            "posegraph COMMAND --help shows the options of a command, --version the version.",
            "An error is one line; with --traceback it comes with the place where it arose.",
        )
    )


def _summary(command: str) -> str:
    """First line of a command's docstring, without importing the module."""
    module, _, function = COMMANDS[command].partition(":")
    tree = ast.parse((Path(__file__).parent / f"{module}.py").read_text(encoding="utf-8"))
    found = next(node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function)
    return (ast.get_docstring(found) or "").partition("\n")[0]
