"""``posegraph data``: look at motion files, convert them, rebuild the CMU benchmark."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from tyro.conf import Positional, subcommand

from posegraph._support.units import MILLIMETRES, Unit
from posegraph.data import formats
from posegraph.data.benchmarks import cmu_source
from posegraph.data.clip import Clip
from posegraph.data.formats._joints import reach
from posegraph.data.resample import Axis, convert
from posegraph.errors import ConfigError
from posegraph.skeleton.kinematics import to_positions

__all__ = ["cmu_files", "convert_file", "data", "describe", "info", "suspicions"]

_FAST = 20.0  # m/s: mean over joints between two frames; sprinting hands reach half of it
_SIZES = (1000.0, 4000.0)  # mm along the bones, from children to tall adults


def info(
    files: Positional[tuple[Path, ...]],
    /,
    fps: float | None = None,
    unit: Unit | None = None,
    up: Axis | None = None,
    skeleton: str | None = None,
    gaps: formats.Gaps = "linear",
) -> None:
    """Describe motion files: joints, rate, unit, axes, length, gaps, and what looks wrong.

    Args:
        files: Motion files of any format.
        fps: Frames a second, where a file does not say it or is wrong.
        unit: Unit of the files' lengths, likewise.
        up: Axis that points up, likewise.
        skeleton: Built-in skeleton, where a file does not say what its joints are.
        gaps: What becomes of joints that were not seen.
    """
    if not files:
        raise ConfigError("files: expected at least one motion file, got none.")
    for number, path in enumerate(files):
        clip = formats.read(path, fps=fps, unit=unit, up=up, skeleton=skeleton, gaps=gaps)
        print(*(["", str(path)] if number else [str(path)]), sep="\n")
        print(describe(clip, formats.of(path).name))


def describe(clip: Clip, format: str) -> str:
    """What a clip holds, a line each, then what was assumed and what looks wrong.

    Args:
        clip: The clip.
        format: Name of its format.
    """
    skeleton = clip.skeleton
    names = ", ".join(skeleton.joint_names[joint] for joint in skeleton.used[:6])
    lines = [
        f"format    {format}",
        f"length    {clip.num_frames} frames, {clip.seconds:.2f} s at {clip.fps:g} frames a second",
        f"joints    {skeleton.num_joints}, {skeleton.num_used} of them used: {names}, ...",
        f"unit, up  {skeleton.pose_unit}, {clip.up}; as read, whatever the file had",
    ]
    if skeleton.constant or skeleton.duplicates:
        lines.append(
            f"left out  {len(skeleton.constant)} fixed to the root, {len(skeleton.duplicates)} copies of others"
        )
    if skeleton.mirrored:
        lines.append(f"mirrored  {len(skeleton.mirrored)} pairs, as {' and '.join(skeleton.mirrored[0])}")
    if clip.root is None or not len(clip.root):
        lines.append("root      not known")
    else:
        way = float((clip.root.positions[1:] - clip.root.positions[:-1]).norm(dim=-1).sum()) / 1000
        turns = "with" if clip.root.rotations is not None else "without"
        lines.append(f"root      moves {way:.2f} m, {turns} rotations")
    return "\n".join([*lines, *(f"note      {n}" for n in clip.notes), *(f"look at   {s}" for s in suspicions(clip))])


def suspicions(clip: Clip) -> list[str]:
    """What looks wrong in a clip, in sentences.

    Args:
        clip: The clip.
    """
    found: list[str] = []
    poses = to_positions(clip.poses, clip.skeleton).double()
    if clip.num_frames == 0:
        return ["There is no frame."]
    scale = MILLIMETRES.get(clip.unit, 1.0)
    size = reach(poses.numpy(), clip.skeleton.parents) * scale
    if not _SIZES[0] <= size <= _SIZES[1]:
        found.append(
            f"The longest way along the bones is {size / 1000:.4g} m, where an adult has some 2.3 m: is the unit right?"
        )
    speeds = (poses[1:] - poses[:-1]).norm(dim=-1).mean(dim=1) * scale / 1000 * clip.fps
    if len(speeds) > 1 and float(speeds[0]) > 5 and float(speeds[0]) > 10 * float(speeds[1:].median()):
        found.append(
            f"Frame 0 is another pose than the rest, {float(speeds[0]) / clip.fps * 1000:.0f} mm from frame 1, "
            "such as a T-pose that a converter put there: cut it off."
        )
    jumps = (speeds[1:] > _FAST).nonzero().flatten() + 1
    if len(jumps):
        found.append(f"The body jumps between {len(jumps)} pairs of frames, first from frame {int(jumps[0])} on.")
    still = (poses.amax(0) - poses.amin(0)).amax(-1) * scale < 0.01
    frozen = [name for j, name in enumerate(clip.skeleton.joint_names) if j in clip.skeleton.used and bool(still[j])]
    if frozen and clip.num_frames > 1:
        found.append(f"Joints that are used never move: {', '.join(frozen[:5])}{', ...' if len(frozen) > 5 else ''}.")
    if not 10 <= clip.fps <= 500:
        found.append(f"{clip.fps:g} frames a second are unusual: is the rate right?")
    return found


def convert_file(
    source: Positional[Path],
    target: Positional[Path],
    /,
    fps: float | None = None,
    unit: Unit | None = None,
    up: Axis | None = None,
    from_fps: float | None = None,
    from_unit: Unit | None = None,
    from_up: Axis | None = None,
    skeleton: str | None = None,
    gaps: formats.Gaps = "refuse",
) -> None:
    """Convert a motion file to another format, frame rate, unit or axis.

    Args:
        source: Motion file to read.
        target: File to write; its ending says the format: .bvh or .npz.
        fps: Frames a second to write: positions by cubic splines, rotations along the shortest turn.
        unit: Unit to write, in an .npz; a .bvh is in centimetres.
        up: Axis to point up, in an .npz; in a .bvh it is y.
        from_fps: Frames a second of the source, where it does not say it or is wrong.
        from_unit: Unit of the source, likewise.
        from_up: Axis of the source that points up, likewise.
        skeleton: Built-in skeleton, where the source does not say what its joints are.
        gaps: What becomes of joints that were not seen.
    """
    clip = formats.read(source, fps=from_fps, unit=from_unit, up=from_up, skeleton=skeleton, gaps=gaps)
    for note in clip.notes:
        print(f"note: {note}")
    clip = convert(clip, fps=fps, unit=unit, up=up)
    bvh = formats.of(target).name == "bvh"
    if bvh:
        clip = convert(clip, unit="mm", up="y")
    formats.write(clip, target)
    print(f"written to {target}: {clip.num_frames} frames at {clip.fps:g} a second")
    if bvh and clip.skeleton.holds == "positions" and clip.root is not None:
        back = formats.read(target, unit="cm", up="y", fps=clip.fps)
        assert back.root is not None
        names = ["_".join(name.split()) for name in clip.skeleton.joint_names]
        order = [back.skeleton.index(name) for name in names]
        apart = (clip.root.to_world(clip.poses) - back.root.to_world(back.poses)[:, order]).norm(dim=-1)
        print(
            f"positions in the file differ by {float(apart.mean()):.2g} mm on average, "
            f"{float(apart.max()):.2g} mm at most"
        )


def cmu_files(from_bvh: Path, out: Path) -> None:
    """Rebuild the CMU benchmark's files from BVH files of the CMU database that you have.

    Args:
        from_bvh: Folder with 01_01.bvh and so on, at any depth, plain or gzip-compressed.
        out: Folder to write, in the benchmark's layout.
    """
    says = {
        "equal": "equal to the known copy",
        "differs": "DIFFERS from the known copy",
        "unchecked": "no known copy to compare with",
        "missing": "not written: no such trial in the folder",
    }
    evidence = {
        "equal": "verified, every number",
        "rows": "verified by length or rows",
        "inferred": "inferred",
        "unknown": "searched by content",
    }

    def report(result: cmu_source.Rebuilt) -> None:
        trial = result.trial
        name = trial.trial or (result.source.name.split(".")[0] if result.source else "?")
        known = "unknown" if not trial.trial and not trial.fingerprint else evidence[trial.evidence]
        print(f"{trial.file:48} {name:6} {known:27} {says[result.outcome]}")

    results = cmu_source.rebuild(from_bvh, out, progress=report)
    counts = {outcome: sum(r.outcome == outcome for r in results) for outcome in says}
    written = len(results) - counts["missing"]
    print(
        f"{written} of {len(results)} files written to {out}: {counts['equal']} equal to known copies, "
        f"{counts['differs']} different, {counts['unchecked']} unchecked"
    )
    if counts["differs"]:
        print("files that differ are not the benchmark's: leave them out, or say so beside results")


_Command = (
    Annotated[Any, subcommand("info", constructor=info, prefix_name=False)]
    | Annotated[Any, subcommand("convert", constructor=convert_file, prefix_name=False)]
    | Annotated[Any, subcommand("cmu", constructor=cmu_files, prefix_name=False)]
)


def data(command: _Command) -> None:
    """Look at motion files, convert them, or rebuild the CMU benchmark from its source."""
