"""Which actions of a table the files in a folder are enough for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from posegraph import data
from posegraph.data import MotionDataset
from posegraph.errors import DataError, IncompleteDataError
from posegraph.reproduce.table import Table


@dataclass(frozen=True)
class Coverage:
    """What can be measured of a table.

    Args:
        clips: Names of the test clips of each action that is measured, in the order of the table.
        partial: Of these, actions that lack a test file, with the reason why they compare with nothing published.
        left_out: Actions of the table that cannot be measured, with the reason.
        missing_training: Training and validation files that are missing.
    """

    clips: Mapping[str, tuple[str, ...]]
    partial: Mapping[str, str]
    left_out: Mapping[str, str]
    missing_training: tuple[str, ...]

    @property
    def actions(self) -> tuple[str, ...]:
        """Actions that are measured."""
        return tuple(self.clips)


def cover(table: Table, dataset: MotionDataset) -> Coverage:
    """Find out what can be measured of a table.

    Args:
        table: Table.
        dataset: What is in the folder.

    Raises:
        DataError: No action of the table can be measured.
        UnknownNameError: The data set has no test clips, or not the table's window rule.
    """
    missing = _missing_test_files(dataset)
    clips: dict[str, tuple[str, ...]] = {}
    partial: dict[str, str] = {}
    left_out: dict[str, str] = {}
    for action in table.actions:
        lacking = [path for path, own in missing.items() if own == action]
        own = tuple(clip.name for clip in dataset.clips.get("test", ()) if clip.action == action)
        if action not in dataset.actions:
            left_out[action] = "not among the actions that were chosen"
        elif not own:
            left_out[action] = "no test clip"
        elif not _has_windows(table, dataset, action):
            left_out[action] = f"the window rule {table.windows!r} needs {', '.join(lacking)} as well"
        else:
            clips[action] = own
            if lacking:
                partial[action] = f"{', '.join(lacking)} is missing"
    if not clips:
        reasons = "; ".join(f"{action}: {reason}" for action, reason in left_out.items())
        raise DataError(
            f"data set {dataset.name!r}: expected test clips of at least one action of {table.name}, got none. "
            f"{reasons}."
        )
    training = tuple(path for path in dataset.missing if path not in missing)
    return Coverage(clips, partial, left_out, training)


def _missing_test_files(dataset: MotionDataset) -> dict[str, str]:
    """Path to action."""
    files = data.info(dataset.name).files if dataset.name in data.names() else ()
    return {file.path: file.action for file in files if file.split == "test" and file.path in dataset.missing}


def _has_windows(table: Table, dataset: MotionDataset, action: str) -> bool:
    try:
        dataset.test_windows(table.windows, table.observed_frames, table.future_frames, actions=[action])
    except IncompleteDataError:
        return False
    return True
