"""A motion data set: clips by split, and the windows that training and evaluation take from them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from posegraph.data.clip import Clip
from posegraph.data.windows import Joints, StartRule, Windows, cut, every_start
from posegraph.errors import ConfigError, DataError, IncompleteDataError, UnknownNameError
from posegraph.skeleton.skeleton import Skeleton

__all__ = ["MotionDataset"]


def _all_only() -> dict[str, StartRule]:
    return {"all": every_start}


@dataclass(frozen=True, eq=False)
class MotionDataset:
    """Clips of one skeleton and frame rate, by split.

    The readers of the published benchmarks return it; build it directly to train and evaluate on clips of your own.

    Args:
        name: Name of the data set.
        skeleton: Skeleton of all clips.
        clips: Split name to clips, as in ``{"train": [...], "test": [...]}``.
        actions: Actions in the order of tables; by default those of the clips, in order of appearance. May list
            actions that no clip has: evaluation then reports them as missing.
        label_fps: Frame rate by which result tables turn frames into milliseconds; the clips' own by default. The
            CMU benchmark differs: its labels assume 25 frames a second.
        start_rules: Test rules by name; by default only ``"all"``, every start.
        protocols: Published evaluation protocols by name, each as changes of `posegraph.evaluation.Protocol`; see
            `Protocol.named`.
        found: Files that were read, relative to the folder.
        missing: Files that belong to the data set but were not there.

    Raises:
        DataError: There is no clip, or clips differ in skeleton or frame rate, or two clips of a split share a name.

    Examples:
        >>> import torch
        >>> from posegraph.skeleton import presets
        >>> from posegraph.data import Clip, MotionDataset
        >>> cmu = presets.get("cmu")
        >>> clips = [Clip(torch.zeros(90, 38, 3), cmu, 60.0, "walking", f"walking_{k}") for k in (1, 2)]
        >>> mine = MotionDataset("mine", cmu, {"train": clips})
        >>> len(mine.train_windows(10, 25)), mine.hold_out(35).splits
        (112, ('train', 'val'))
    """

    name: str
    skeleton: Skeleton
    clips: Mapping[str, Sequence[Clip]]
    actions: tuple[str, ...] = ()
    label_fps: float | None = None
    start_rules: Mapping[str, StartRule] = field(default_factory=_all_only)
    protocols: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    found: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        clips = [clip for split in self.clips.values() for clip in split]
        if not clips:
            raise DataError(f"data set {self.name!r}: expected at least one clip, got none.")
        for clip in clips:
            if clip.skeleton.joint_names != self.skeleton.joint_names:
                raise DataError(
                    f"{clip.label}: expected the joints of skeleton {self.skeleton.name!r}, got those of "
                    f"{clip.skeleton.name!r}. A data set has one skeleton."
                )
            if clip.fps != clips[0].fps:
                raise DataError(
                    f"{clip.label}: expected {clips[0].fps:g} frames a second as in {clips[0].label}, got "
                    f"{clip.fps:g}. Bring all clips to one rate first."
                )
        for split, own in self.clips.items():
            names = [clip.name for clip in own]
            repeated = sorted({name for name in names if names.count(name) > 1})
            if repeated:
                raise DataError(f"split {split!r}: expected clips of different names, got {repeated} more than once.")
        if not self.actions:
            object.__setattr__(self, "actions", tuple(dict.fromkeys(clip.action for clip in clips)))
        if self.label_fps is None:
            object.__setattr__(self, "label_fps", clips[0].fps)

    @property
    def fps(self) -> float:
        """Frames a second of all clips."""
        return next(clip.fps for split in self.clips.values() for clip in split)

    @property
    def splits(self) -> tuple[str, ...]:
        """Names of the splits."""
        return tuple(self.clips)

    def describe(self) -> str:
        """One line: clips by split, and how many files are missing."""
        counts = ", ".join(f"{len(clips)} {split}" for split, clips in self.clips.items())
        files = len(self.found) + len(self.missing)
        missing = f"; {len(self.missing)} of {files} files missing" if self.missing else ""
        return f"{self.name}: {counts} clips at {self.fps:g} frames a second{missing}"

    def select(self, split: str, actions: Sequence[str] | None = None) -> tuple[Clip, ...]:
        """Clips of a split in order, optionally of some actions only.

        Raises:
            UnknownNameError: There is no such split or action.
            DataError: The split has no clip of these actions.
        """
        if split not in self.clips:
            raise UnknownNameError("split", split, self.splits)
        for action in actions or ():
            if action not in self.actions:
                raise UnknownNameError("action", action, self.actions)
        chosen = tuple(clip for clip in self.clips[split] if actions is None or clip.action in actions)
        if not chosen:
            raise DataError(
                f"data set {self.name!r}: expected clips of split {split!r}, got none of actions "
                f"{', '.join(actions or self.actions)}. {len(self.missing)} files are missing: see `missing`."
            )
        return chosen

    def train_windows(
        self,
        observed_frames: int,
        future_frames: int,
        *,
        split: str = "train",
        actions: Sequence[str] | None = None,
        joints: Joints = "used",
    ) -> Windows:
        """Every window of a split in one holder, whatever the action.

        Args:
            observed_frames: Frames that the model sees.
            future_frames: Frames that it forecasts.
            split: Split to cut; a validation split is cut the same way.
            actions: Only these actions.
            joints: ``"used"`` for the joints that models see, ``"full"`` for all.

        Raises:
            UnknownNameError: There is no such split or action.
            DataError: There is no clip, or one is shorter than a window.
        """
        clips = self.select(split, actions)
        return cut(
            clips, every_start(clips, observed_frames, future_frames), observed_frames, future_frames, joints=joints
        )

    def test_windows(
        self,
        rule: str,
        observed_frames: int,
        future_frames: int,
        *,
        split: str = "test",
        actions: Sequence[str] | None = None,
        joints: Joints = "full",
    ) -> dict[str, Windows]:
        """The windows of a test protocol, by action.

        Args:
            rule: One of ``start_rules``.
            observed_frames: Frames that the model sees.
            future_frames: Frames that it forecasts.
            split: Split to cut.
            actions: Only these actions.
            joints: ``"full"`` for all joints, as errors are measured on, or ``"used"``.

        Returns:
            Windows of each action that has the clips that the rule needs, in the order of ``actions``.

        Raises:
            UnknownNameError: There is no such rule, split or action.
            DataError: There is no clip, or the clips do not fit the rule.
            ConfigError: The rule does not allow so many frames.
        """
        if rule not in self.start_rules:
            raise UnknownNameError("window rule", rule, self.start_rules)
        clips = self.select(split, actions)
        windows: dict[str, Windows] = {}
        incomplete: IncompleteDataError | None = None
        for action in self.actions:
            own = [clip for clip in clips if clip.action == action]
            if not own:
                continue
            try:
                starts = self.start_rules[rule](own, observed_frames, future_frames)
            except IncompleteDataError as error:  # the other actions do not depend on this one
                incomplete = error
                continue
            windows[action] = cut(own, starts, observed_frames, future_frames, joints=joints)
        if not windows and incomplete is not None:
            raise incomplete
        return windows

    def hold_out(self, window_frames: int, clips: Sequence[str] | None = None) -> MotionDataset:
        """Move whole training clips to the split "val", so that nothing has to be chosen by the test error.

        Neighbouring windows are nearly the same, so windows of one clip must not be on both sides.

        Args:
            window_frames: Frames of one window; shorter clips are not chosen.
            clips: Names of the clips to hold out. By default the shortest clip of each action that has at least two
                training clips, among those as long as a window.

        Returns:
            A data set with the splits of this one and "val".

        Raises:
            UnknownNameError: A training clip of this name does not exist.
            ConfigError: There is a split "val" already, or nothing would be held out, or nothing left to train on.
        """
        if self.clips.get("val"):
            raise ConfigError(
                f"data set {self.name!r}: expected no split 'val' yet, got one of {len(self.clips['val'])} clips. "
                "Use that one, or load the training split alone."
            )
        training = self.select("train")
        chosen = _shortest_of_each_action(training, window_frames) if clips is None else list(clips)
        names = [clip.name for clip in training]
        for name in chosen:
            if name not in names:
                raise UnknownNameError("training clip", name, names)
        kept = tuple(clip for clip in training if clip.name not in chosen)
        held = tuple(clip for clip in training if clip.name in chosen)
        if not held or not kept:
            raise ConfigError(
                f"clips: expected some of the {len(training)} training clips to hold out and some to keep, got "
                f"{len(held)} held out. Name the clips, or add training clips of the same actions."
            )
        return replace(self, clips={**self.clips, "train": kept, "val": held})


def _shortest_of_each_action(clips: Sequence[Clip], window_frames: int) -> list[str]:
    chosen: list[str] = []
    for action in dict.fromkeys(clip.action for clip in clips):
        own = [clip for clip in clips if clip.action == action]
        long_enough = [clip for clip in own if clip.num_frames >= window_frames]
        if len(own) > 1 and long_enough:
            chosen.append(min(long_enough, key=lambda clip: clip.num_frames).name)
    return chosen
