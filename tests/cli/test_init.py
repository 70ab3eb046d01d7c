from __future__ import annotations

import importlib
import os
import re
import subprocess
import sys

import pytest

import posegraph
from posegraph import cli


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_explains_itself(name, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main([name, "--help"])
    assert stopped.value.code == 0
    assert f"posegraph {name}" in capsys.readouterr().out


def test_help_lists_the_commands_with_what_they_do(command):
    answer = command("--help")
    listed = dict(re.findall(r"^  (\w+) +(.+)$", answer.out, flags=re.MULTILINE))
    assert list(listed) == list(cli.COMMANDS)
    for name, place in cli.COMMANDS.items():
        module, _, function = place.partition(":")
        run = getattr(importlib.import_module(f"posegraph.cli.{module}"), function)
        assert run.__doc__.startswith(listed[name])


def test_the_version_is_told(command):
    assert command("--version").out == f"posegraph {posegraph.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ([], "usage: posegraph COMMAND"),
        (["trian"], "error: unknown command 'trian'. Did you mean 'train'? Known: demo, "),
    ],
)
def test_what_is_no_command_is_answered_with_the_commands(command, arguments, text):
    answer = command(*arguments)
    assert (answer.status, answer.out) == (2, "")
    assert text in answer.err


@pytest.mark.parametrize("arguments", [["info"], ["evaluate", "zero-velocity"], ["list", "--no-such-option"]])
def test_wrong_usage_ends_with_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    assert stopped.value.code == 2
    assert capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--help"], ["--version"], ["list"]])
def test_answers_that_need_no_network_come_without_pytorch(arguments):
    code = f"import sys; from posegraph import cli; cli.main({arguments}); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_unexpected_errors_are_one_line_too(command, monkeypatch):
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("two\nlines")

    monkeypatch.setattr("posegraph.registry.info", fail)
    answer = command("info", "msrgcn")
    text = "posegraph: unexpected error: RuntimeError: two lines (--traceback shows where)\n"
    assert (answer.status, answer.err) == (1, text)
    with pytest.raises(RuntimeError):
        cli.main(["info", "msrgcn", "--traceback"])


def test_terminals_without_a_letter_get_another_one():
    code = "import sys; from posegraph import cli; cli.main(['list', 'x']); print('37.5 \u00b1 0.1 mm')"
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment)
    assert answer.stdout == "37.5 ? 0.1 mm\n"


def test_arguments_are_those_of_the_process_by_default(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", ["posegraph", "list", "traj*"])
    assert cli.main() == 0
    assert "traj-gcn" in capsys.readouterr().out


def test_errors_are_one_line_and_status_2(command):
    answer = command("info", "msrgnc")
    assert (answer.status, answer.out) == (2, "")
    assert answer.err.startswith("posegraph: error: unknown model 'msrgnc'. Did you mean 'msrgcn'? Known: dmgnn, ")
    assert answer.err.count("\n") == 1


def test_an_interruption_is_status_130(command, monkeypatch):
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("posegraph.registry.info", stop)
    answer = command("info", "msrgcn")
    assert (answer.status, answer.err) == (130, "posegraph: interrupted\n")
