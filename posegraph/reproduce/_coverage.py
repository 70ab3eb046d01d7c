"""Which actions of a table the files in a folder are enough for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from posegraph.data import MotionDataset, h36m
from posegraph.errors import DataError, IncompleteDataError
from posegraph.reproduce.tables import Table

# Folders of test files, to tell them among the missing ones of a benchmark.
_TEST_FOLDERS = {"cmu": ("test",), "h36m": h36m.SUBJECTS["test"]}


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
    missing = [path for path in dataset.missing if _is_test_file(dataset.name, path)]
    clips: dict[str, tuple[str, ...]] = {}
    partial: dict[str, str] = {}
    left_out: dict[str, str] = {}
    for action in table.actions:
        lacking = [path for path in missing if _action_of(path) == action]
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


def _has_windows(table: Table, dataset: MotionDataset, action: str) -> bool:
    try:
        dataset.test_windows(table.windows, table.observed_frames, table.future_frames, actions=[action])
    except IncompleteDataError:
        return False
    return True


def _is_test_file(dataset: str, path: str) -> bool:
    return bool(set(PurePosixPath(path).parts) & set(_TEST_FOLDERS.get(dataset, ())))


def _action_of(path: str) -> str:
    """The action of a benchmark's file: walking of S5/walking_1.txt."""
    return PurePosixPath(path).stem.rpartition("_")[0]
