from __future__ import annotations

import re

import pytest

from posegraph import cli

COMMANDS = ["list", "info", "train", "evaluate", "forecast", "plot", "view", "reproduce", "pack", "demo"]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself(name, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main([name, "--help"])
    assert stopped.value.code == 0
    assert f"posegraph {name}" in capsys.readouterr().out


def test_help_lists_the_commands(capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(["--help"])
    assert stopped.value.code == 0
    commands = re.findall(r"• (\w+)", capsys.readouterr().out)
    assert commands == COMMANDS


@pytest.mark.parametrize(
    "arguments", [[], ["trian"], ["info"], ["evaluate", "zero-velocity"], ["list", "--no-such-option"]]
)
def test_wrong_usage_ends_with_status_2(arguments, capsys):
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    assert stopped.value.code == 2
    assert capsys.readouterr().err


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
