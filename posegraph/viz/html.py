"""Motion and forecasts as a page for the browser."""

from __future__ import annotations

import base64
import html
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from posegraph._support.files import replace_file
from posegraph.errors import ConfigError
from posegraph.skeleton.root import RootMotion
from posegraph.viz._scene import Scene
from posegraph.viz._timeline import Motion, Timeline, Window, timeline

_PARTS = Path(__file__).parent / "page"
_SCRIPTS = ("poses.js", "scene.js", "chart.js", "app.js")
_SIDES = ("left", "right", "centre")


def write_page(
    motion: Motion,
    path: str | Path,
    *,
    title: str | None = None,
    root: RootMotion | None = None,
    head: str | None = None,
) -> Path:
    """Write one HTML file that shows motion and forecasts in three dimensions.

    The page needs no network, no other file and no package. It plays at true speed, turns with the mouse or a finger,
    and has observed, forecast and true poses and zero velocity as layers. Several models stand side by side, with their
    errors against the time in milliseconds.

    Args:
        motion: A recording, a forecast, or forecasts by model. A model may have several forecasts of one clip, each is
            then shown until the next one begins.
        path: File to create or replace, ``.html``; missing folders are made.
        title: Name of the page; by default the name of the clip, or of the models.
        root: The way of the root over the frames of the clip that was forecast, as in ``clip.root``: the body then
            moves through space, forecasts along the true way too. A recording brings its own.
        head: Joint to draw a head at; by default the one named "Head", if there is one.

    Returns:
        The path.

    Raises:
        ConfigError: The file name has another ending, there are no forecasts, or their skeletons, frame rates or
            places do not go together.
        ShapeError: Poses do not fit the skeleton or each other, or ``root`` is too short.
        DataError: A position is not finite, or forecasts are not of one recording.
        UnknownNameError: The skeleton has no joint named ``head``.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from posegraph import data, registry, viz
        >>> from posegraph.forecast import forecast_clip
        >>> walking = data.load("cmu", "samples", split="test", actions=["walking"]).clips["test"][0]
        >>> model = registry.build("zero-velocity", skeleton="cmu")
        >>> windows = [forecast_clip(model, walking, start) for start in (0, 25, 50)]
        >>> with TemporaryDirectory() as folder:
        ...     path = viz.write_page({"zero velocity": windows}, f"{folder}/walking.html", root=walking.root)
        ...     path.name, path.stat().st_size < 400_000
        ('walking.html', True)
    """
    path = Path(path)
    if path.suffix != ".html":
        raise ConfigError(f"path: expected a file name that ends in .html, got {path.name!r}. Rename it.")
    line = timeline(motion, root)
    name = title or getattr(motion, "name", "") or " and ".join(line.models) or "Motion"
    content = _page(name, _content(line, name, head)).encode()
    path.parent.mkdir(parents=True, exist_ok=True)
    replace_file(path, lambda file: file.write(content))
    return path


def _page(title: str, content: dict[str, Any]) -> str:
    """The template with everything in its place, in one pass, so that no text can stand for a place."""
    script = "\n".join((_PARTS / name).read_text(encoding="utf-8") for name in _SCRIPTS)
    # "<" as an escape keeps any text of the data inside its element.
    text = json.dumps(content, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    places = {
        "title": html.escape(title),
        "style": (_PARTS / "page.css").read_text(encoding="utf-8"),
        "script": script,
        "data": text,
    }
    template = (_PARTS / "page.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{(\w+)\}\}", lambda place: places[place[1]], template)


def _content(line: Timeline, title: str, head: str | None) -> dict[str, Any]:
    """All that the scripts need. Axes are those of the page: x to the body's left, y up, z to its front."""
    skeleton = line.skeleton
    known = _place(line, line.known, 0)
    way = known[:, skeleton.root]
    way = np.concatenate([way, np.repeat(way[-1:], line.num_frames - len(way), axis=0)])
    local = known - way[: len(known), None]
    models = {
        name: [_place(line, own.poses, own.now) - way[own.now : own.now + len(own.poses), None] for own in windows]
        for name, windows in line.models.items()
    }
    scene = Scene(skeleton, (line.known, *(w.poses for own in line.models.values() for w in own)), 0.0, 0.0, head)
    return {
        "title": title,
        "fps": line.fps,
        "first": line.first,
        "frames": line.num_frames,
        "now": line.now,
        "unit": skeleton.unit,
        "skeleton": {
            "name": skeleton.name,
            "joints": list(skeleton.joint_names),
            "bones": [list(bone) for bone in scene.bones],
            "sides": [_SIDES.index(skeleton.side(joint)) for joint in range(skeleton.num_joints)],
            "head": list(scene.head_joints),
            "headRadius": scene.head_radius,
        },
        "floor": float(known[..., 1].min()),
        "top": float(known[..., 1].max()),
        "reach": float(np.linalg.norm(local[..., [0, 2]], axis=-1).max()),
        "heading": line.heading,
        "way": _pack_floats(way),
        "known": _pack(local),
        "models": [
            {"name": name, "poses": _pack(np.concatenate(models[name])), "windows": _windows(windows)}
            for name, windows in line.models.items()
        ],
        "zero": _windows(line.zero_velocity),
    }


def _place(line: Timeline, poses: np.ndarray, start: int) -> np.ndarray:
    """Poses from a frame on where the body is, along the axes of the page."""
    return line.axes(line.in_world(poses, start))


def _windows(windows: Sequence[Window]) -> list[dict[str, Any]]:
    """Where forecasts begin, how long they are, and their errors to a thousandth of a millimetre."""
    return [
        {
            "now": window.now,
            "length": len(window.poses),
            "errors": None if window.errors is None else [round(error, 3) for error in window.errors],
        }
        for window in windows
    ]


def _pack(poses: np.ndarray) -> dict[str, Any]:
    """Positions as 16-bit integers in steps of ``scale``: a twentieth of a millimetre for a body of common size."""
    scale = float(np.abs(poses).max()) / 32767 or 1.0
    numbers = np.round(poses / scale).astype("<i2")
    return {"scale": scale, "shape": list(poses.shape), "data": base64.b64encode(numbers.tobytes()).decode()}


def _pack_floats(numbers: np.ndarray) -> dict[str, Any]:
    """Numbers as 32-bit floats."""
    data = base64.b64encode(numbers.astype("<f4").tobytes()).decode()
    return {"shape": list(numbers.shape), "data": data}
