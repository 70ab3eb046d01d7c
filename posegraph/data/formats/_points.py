"""Points without bones, as markers or joints in a table, to a clip."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from posegraph._support.units import Unit
from posegraph.data import gaps
from posegraph.data.clip import Clip
from posegraph.data.formats import ReadOptions
from posegraph.data.formats._body import Motion, choose_fps, clip_of, refuse_absurd
from posegraph.data.formats._joints import unique_names
from posegraph.data.resample import Axis
from posegraph.errors import DataError

__all__ = ["clip_of_points", "rigid_tree"]

_ROOT = re.compile(r"^(hips?|pelvis|root|mid_?hip|sacrum|sacr|asis_?mid)$", re.IGNORECASE)
_MOST_POINTS = 1000


def clip_of_points(
    points: np.ndarray,
    names: Sequence[str],
    stated_fps: float | None,
    path: Path,
    options: ReadOptions,
    *,
    unit: Unit | None = None,
    usual_up: Axis = "y",
) -> Clip:
    """A clip of points in the world.

    The bones are those of ``options.skeleton``; without one, those of `rigid_tree`. The root is the point named hips,
    pelvis, root or sacrum, else that in the middle.

    Args:
        points: ``(frames, points, 3)`` float64, NaN where a point was not seen.
        names: Name of each point.
        stated_fps: Frame rate that the file says, if it does.
        path: The file.
        options: What the user says about it.
        unit: Unit that the file says, if it does.
        usual_up: Axis that points up in most files of the format.

    Raises:
        ConfigError: A unit, axis, rule for gaps or frame rate is not among those known.
        DataError: There are no points, too many, or gaps that are not filled.
    """
    notes: list[str] = []
    frames, count = points.shape[:2]
    if frames == 0 or not 0 < count <= _MOST_POINTS:
        raise DataError(
            f"{path}: expected frames of 1 to {_MOST_POINTS} points, got {frames} frames of {count}. Export it again."
        )
    fps = choose_fps(stated_fps, options.fps, path)
    if options.fps is not None and stated_fps not in (None, options.fps):
        notes.append(f"The file says {stated_fps:g} frames a second; it was read at {fps:g}, as told.")
    own = unique_names(names, notes)
    missing = np.asarray((~np.isfinite(points)).any(axis=-1))
    never = np.asarray(missing.all(axis=0))
    wanted = () if options.skeleton is None else options.skeleton.joint_names
    dropped = [name for name, gone in zip(own, never, strict=True) if gone and name not in wanted]
    if dropped and len(dropped) < count:
        notes.append(f"Never seen, left out: {', '.join(dropped[:5])}{', ...' if len(dropped) > 5 else ''}.")
        kept = [index for index, name in enumerate(own) if name not in dropped]
        points, missing, own = points[:, kept], missing[:, kept], [own[index] for index in kept]
    refuse_absurd(points[~missing], path)
    points, note = gaps.fill(points, missing, options.gaps, fps=fps, names=own, source=path)
    if note:
        notes.append(note)
    if options.skeleton is not None and options.skeleton.joint_names[options.skeleton.root] in own:
        root = own.index(options.skeleton.joint_names[options.skeleton.root])
    else:
        named = [index for index, name in enumerate(own) if _ROOT.match(name.rpartition(":")[2])]
        middle = np.linalg.norm(points.mean(axis=0) - points.mean(axis=(0, 1)), axis=-1)
        root = named[0] if named else int(middle.argmin())
    if options.skeleton is None:
        notes.append("The file has no bones: points hang on those that keep their distance to them best.")
    motion = Motion(
        names=own,
        parents=rigid_tree(points, root),
        poses=points - points[:, root : root + 1],
        root_positions=points[:, root],
        fps=fps,
        unit=unit,
        usual_up=usual_up,
        notes=notes,
    )
    return clip_of(motion, path, options)


def rigid_tree(points: np.ndarray, root: int) -> list[int]:
    """Parents of points such that each hangs on one that keeps its distance to it, and near ones first.

    It is the shortest tree where a distance counts as five times its standard deviation over time and a tenth of its
    mean.

    Args:
        points: ``(frames, points, 3)``.
        root: Index of the root.

    Examples:
        >>> import numpy as np
        >>> from posegraph.data.formats._points import rigid_tree
        >>> turn = np.linspace(0, 1, 20)
        >>> elbow, wrist = (np.stack([r * np.cos(turn), r * np.sin(turn), 0 * turn], -1) for r in (300.0, 500.0))
        >>> rigid_tree(np.stack([wrist, elbow, 0 * elbow], axis=1), root=2)
        [1, 2, -1]
    """
    some = points[:: max(1, len(points) // 200)]
    count = points.shape[1]
    cost = np.zeros((count, count))
    for point in range(count):
        distance = np.linalg.norm(some - some[:, point : point + 1], axis=-1)
        cost[point] = 5 * distance.std(axis=0) + 0.1 * distance.mean(axis=0)
    parents = [-1] * count
    best, above = cost[root].copy(), np.full(count, root)
    best[root] = np.inf
    for _ in range(count - 1):
        point = int(best.argmin())
        parents[point] = int(above[point])
        closer = (cost[point] < best) & np.isfinite(best)
        best[closer], above[closer] = cost[point][closer], point
        best[point] = np.inf
    return parents
