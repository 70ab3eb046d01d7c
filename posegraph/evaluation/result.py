"""Results of an evaluation, as tables and as JSON."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from posegraph._support.files import replace_file
from posegraph.errors import ConfigError, DataError, UnknownNameError
from posegraph.evaluation.protocol import OF_ROTATIONS, Protocol

__all__ = ["ActionResult", "Result"]


@dataclass(frozen=True)
class ActionResult:
    """Errors of one action.

    Args:
        windows: Number of windows that were averaged.
        errors: Error at each frame of the protocol, in its unit.
    """

    windows: int
    errors: tuple[float, ...]


@dataclass(frozen=True)
class Result:
    """Errors by action, with the protocol that they hold for.

    Args:
        protocol: What was measured; ``actions`` and ``label_fps`` are filled in.
        actions: Errors of each action that had clips.
        model: Name of the model and, of a trained checkpoint, seed, epoch and how the epoch was selected.
    """

    protocol: Protocol
    actions: Mapping[str, ActionResult]
    model: Mapping[str, Any] = field(default_factory=dict)

    @property
    def missing(self) -> tuple[str, ...]:
        """Actions of the protocol for which the data set had not the clips; the mean leaves them out."""
        return tuple(action for action in self.protocol.actions if action not in self.actions)

    @property
    def errors(self) -> tuple[float, ...]:
        """Unweighted mean over actions, at each frame."""
        columns = zip(*(action.errors for action in self.actions.values()), strict=True)
        return tuple(sum(column) / len(column) for column in columns)

    @property
    def mean(self) -> float:
        """Mean over actions and frames: the single number that papers quote."""
        return sum(self.errors) / len(self.errors)

    def select(self, actions: Sequence[str]) -> Result:
        """The result of some of the actions, for an average over them.

        Args:
            actions: Actions, in the order that they shall have.

        Raises:
            UnknownNameError: An action was not measured.
        """
        for action in actions:
            if action not in self.actions:
                raise UnknownNameError("measured action", action, self.actions)
        protocol = dataclasses.replace(self.protocol, actions=tuple(actions))
        return Result(protocol, {action: self.actions[action] for action in actions}, self.model)

    def to_json(self) -> dict[str, Any]:
        """A JSON-ready dictionary: protocol, errors by action, and their mean.

        Errors are under "mpjpe_mm", or "euler_rad" for Euler angles; `from_json` reads either.
        """
        frames = list(self.protocol.frames)
        key, mean_key = _json_keys(self.protocol)
        return {
            "protocol": {
                **dataclasses.asdict(self.protocol),
                "frames": frames,
                "actions": list(self.protocol.actions),
                "model": dict(self.model),
            },
            "actions": {
                name: {"windows": action.windows, "frames": frames, key: list(action.errors)}
                for name, action in self.actions.items()
            },
            "mean": {
                "actions": list(self.actions),
                "frames": frames,
                key: list(self.errors),
                mean_key: self.mean,
            },
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Result:
        """Read what `to_json` made.

        Raises:
            DataError: Something is missing or of another kind.
        """
        try:
            fields = dict(data["protocol"])
            model = fields.pop("model")
            protocol = Protocol(**fields)
            key, _ = _json_keys(protocol)
            actions = {
                name: ActionResult(int(action["windows"]), tuple(float(error) for error in action[key]))
                for name, action in data["actions"].items()
            }
        except (AttributeError, ConfigError, KeyError, TypeError, ValueError) as error:
            raise DataError(
                f"result: expected what 'posegraph evaluate --out' writes, got something else: "
                f"{type(error).__name__}: {error}."
            ) from error
        return cls(protocol, actions, model)

    def save(self, path: str | Path) -> None:
        """Write `to_json` to a file, as a whole or not at all; missing folders are made."""
        path = Path(path)
        text = json.dumps(self.to_json(), indent=2) + "\n"
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_file(path, lambda file: file.write(text.encode()))

    def table(self) -> str:
        """A plain-text table with its protocol, errors in millimetres or, for Euler angles, radians.

        Columns are frames. The milliseconds below are how far ahead they are, ``(frame + 1) / fps``, and in a line of
        their own, where these differ, how published tables label them, ``(frame + 1) / label_fps``.
        """
        frames = self.protocol.frames
        digits = 2 if self.protocol.unit == "mm" else 3
        rows = [["action", "windows", *(f"frame {frame}" for frame in frames), "mean"]]
        fps, label_fps = self.protocol.fps, self.protocol.label_fps
        for title, rate in (("", fps), ("labelled", None if label_fps == fps else label_fps)):
            if rate is not None:
                rows.append([title, "", *(f"{(frame + 1) * 1000 / rate:.0f} ms" for frame in frames), ""])
        for name, action in self.actions.items():
            errors = action.errors
            mean = sum(errors) / len(errors)
            rows.append([name, str(action.windows), *(f"{error:.{digits}f}" for error in (*errors, mean))])
        mean_of = f"mean of {len(self.actions)}"
        rows.append([mean_of, "", *(f"{error:.{digits}f}" for error in (*self.errors, self.mean))])
        widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
        lines = [self.protocol.describe()]
        if self.model:
            name, *known = (
                str(value) if key in ("name", "selection") else f"{key} {value}" for key, value in self.model.items()
            )
            lines.append(", ".join([f"model: {name}", *known]))
        for first, *rest in rows:
            cells = [first.ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(rest, widths[1:], strict=True))]
            lines.append("  ".join(cells).rstrip())
        if self.missing:
            lines.append(f"clips missing, left out of the mean: {', '.join(self.missing)}")
        return "\n".join(lines)


def _json_keys(protocol: Protocol) -> tuple[str, str]:
    """Keys of the errors of an action and of the overall mean, which name the metric and the unit."""
    kind = "euler" if protocol.metric in OF_ROTATIONS else "mpjpe"
    return f"{kind}_{protocol.unit}", f"mean_{protocol.unit}"
