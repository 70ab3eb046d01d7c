"""The command line: ``posegraph`` or ``python -m posegraph``."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from posegraph.errors import PosegraphError

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: Command and options; those of the process by default.

    Returns:
        Exit status: 0, or 2 after an error that the message explains, or 130 after an interruption.
    """
    import tyro

    commands = _commands()
    try:
        tyro.extras.subcommand_cli_from_dict(
            commands,
            args=list(sys.argv[1:] if arguments is None else arguments),
            prog="posegraph",
            description="Forecast 3D human motion with graph networks.",
            config=(tyro.conf.OmitArgPrefixes,),
        )
    except (PosegraphError, OSError) as error:
        print(f"posegraph: error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("posegraph: interrupted", file=sys.stderr)
        return 130
    return 0


def _commands() -> dict[str, Callable[..., Any]]:
    from posegraph.cli import data, demo, evaluate, forecast, models, pack, plot, reproduce, train

    return {
        "list": models.list_names,
        "info": models.info,
        "train": train.train,
        "evaluate": evaluate.evaluate,
        "forecast": forecast.forecast,
        "plot": plot.plot,
        "reproduce": reproduce.reproduce,
        "pack": pack.pack,
        "data": data.data,
        "demo": demo.demo,
    }
