"""AMC with its ASF: the format of the CMU Graphics Lab database.

The skeleton is in an ``.asf`` file, the motion in an ``.amc`` file. The skeleton is looked for beside the motion: of
the same name, of the subject's number (``02.asf`` for ``02_01.amc``), or the only one in the folder; each may be
gzip-compressed.

A joint has the name of the bone that starts there, so a bone's end is the joint of the next bone, or a joint named
``BONE_Site``. Lengths are what the ASF says: the database's unit is 1 / 0.45 inch. An AMC does not say its frame rate:
most of the database has 120 frames a second, which is assumed and noted.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from posegraph._support.files import read_content
from posegraph.data.clip import Clip
from posegraph.data.formats import ReadOptions, register
from posegraph.data.formats._asf import AsfSkeleton, parse_asf
from posegraph.data.formats._body import Motion, choose_fps, clip_of, refuse_absurd
from posegraph.data.formats._hierarchy import Turn, pose
from posegraph.data.formats._text import decode, parse_rows
from posegraph.errors import DataError

__all__ = ["find_skeleton", "parse_amc", "read"]

_FPS = 120.0


@register("amc", suffixes=(".amc",), summary="ASF/AMC of the CMU database; the .asf is found beside the .amc.")
def read(path: Path, options: ReadOptions, asf: Path | None = None) -> Clip:
    """Read a clip.

    Args:
        path: The ``.amc`` file.
        options: What the user says about it.
        asf: Its skeleton; by default found beside it.

    Raises:
        ConfigError: A unit, axis or frame rate is not among those known.
        DataError: A file cannot be used, or there is no skeleton; the message names file, line and remedy.
    """
    asf = asf or find_skeleton(path)
    skeleton = parse_asf(read_content(asf), asf)
    values = parse_amc(read_content(path), path, skeleton)
    refuse_absurd(values, path)
    scale = 1.0 if options.unit is not None or skeleton.millimetres is None else skeleton.millimetres
    notes = [f"The skeleton is that of {asf.name}."]
    if options.fps is None:
        notes.append(f"The file does not say its frame rate: {_FPS:g}, that of most of the CMU database.")
    bones = skeleton.bones
    ends = [b for b in range(len(bones)) if not any(bone.parent == b for bone in bones)]
    offsets = [bones[bone.parent].vector if bone.parent >= 0 else bone.vector for bone in bones]
    shifts: dict[int, np.ndarray] = {}
    turns: list[list[Turn]] = []
    column = 0
    for index, bone in enumerate(bones):
        # A bone turns by C M C^-1 with M = Rz Ry Rx; rows take the transposed ones in the same order.
        angles: list[Turn] = []
        for turns_about, axis in bone.degrees_of_freedom:
            own = values[:, column]
            column += 1
            if turns_about:
                angles.insert(0, (axis, np.deg2rad(own) if skeleton.degrees else own))
            else:
                shifts.setdefault(index, np.tile(offsets[index], (len(values), 1)))[:, axis] += own
        turns.append([bone.frame.T, *angles, bone.frame] if angles else [])
    names = [*(bone.name for bone in bones), *(f"{bones[end].name}_Site" for end in ends)]
    parents = [*(bone.parent for bone in bones), *ends]
    rest = np.array([*offsets, *(bones[end].vector for end in ends)])
    poses, root_rotations = pose(parents, rest, [*turns, *([] for _ in ends)], shifts, len(values))
    motion = Motion(
        names=names,
        parents=parents,
        poses=poses * scale,
        root_positions=shifts.get(0, np.tile(rest[0], (len(values), 1))) * scale,
        fps=choose_fps(_FPS, options.fps, path),
        root_rotations=root_rotations,
        offsets=np.concatenate([np.zeros((1, 3)), rest[1:]]) * scale,
        unit=None if skeleton.millimetres is None else "mm",
        notes=notes,
    )
    return clip_of(motion, path, options)


def find_skeleton(path: Path) -> Path:
    """The ASF of an AMC, by name beside it.

    Raises:
        DataError: There is none, or there are several and none has a fitting name.
    """
    stem = path.name.split(".")[0]
    folder = path.parent
    there = sorted(file for file in folder.glob("*") if file.name.lower().removesuffix(".gz").endswith(".asf"))
    for wanted in (stem, stem.split("_")[0]):
        for file in there:
            if file.name.split(".")[0] == wanted:
                return file
    if len(there) == 1:
        return there[0]
    raise DataError(
        f"{path}: expected its skeleton {stem}.asf or {stem.split('_')[0]}.asf beside it, got "
        f"{', '.join(file.name for file in there[:5]) or 'no .asf'}. Fetch the subject's .asf."
    )


def parse_amc(content: bytes, source: object, skeleton: AsfSkeleton) -> np.ndarray:
    """The values of every frame.

    Args:
        content: The file.
        source: Its name, for messages.
        skeleton: Says which bones have how many values.

    Returns:
        ``(frames, values)``, bones and their values in the order of the skeleton.

    Raises:
        DataError: A frame lacks a bone, or a bone a value; the message names file and line.
    """
    lines = decode(content, source, "an AMC file").splitlines()
    wanted = {bone.name: len(bone.degrees_of_freedom) for bone in skeleton.bones if bone.degrees_of_freedom}
    frames: list[tuple[int, dict[str, str]]] = []
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if not text or text[0] in "#:":
            continue
        if text.isdecimal():
            frames.append((number, {}))
            continue
        name, _, values = text.partition(" ")
        if not frames or name not in wanted or name in frames[-1][1]:
            what = "a frame number" if not frames else f"a bone of the skeleton, once a frame ({', '.join(wanted)})"
            raise DataError(
                f"{source}, line {number}: expected {what}, got {name[:40]!r}. Does the .asf belong to this file?"
            )
        frames[-1][1][name] = values
    if not frames:
        raise DataError(f"{source}, line {len(lines)}: expected frames, got none. Fetch the file again.")
    for number, bones in frames:
        absent = [name for name in wanted if name not in bones]
        if absent:
            raise DataError(
                f"{source}, line {number}: expected {len(wanted)} bones in the frame, got no {', '.join(absent[:4])}. "
                "If the file was cut off, fetch it again."
            )
    tables = [
        parse_rows(
            [bones[name] or "?" for _, bones in frames], 1, count, f"{source}, bone {name}, values", "Fetch it again."
        )
        for name, count in wanted.items()
    ]
    values = np.concatenate(tables, axis=1)
    bad = ~np.isfinite(values).all(axis=1)
    if bad.any():
        number = frames[int(np.argmax(bad))][0]
        raise DataError(f"{source}, line {number}: expected finite numbers in the frame, got others. Fetch it again.")
    return values
