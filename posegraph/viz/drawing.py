"""What all pictures of poses share: labels and the camera."""

from __future__ import annotations

from dataclasses import dataclass

from posegraph.viz import _labels

__all__ = ["Drawing"]


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """Labels and camera of a picture of poses.

    Raises:
        ConfigError: ``label_fps`` is not above zero.

    Examples:
        >>> from posegraph import viz
        >>> viz.Drawing(title="A forecast", label_fps=25).elevation
        12.0
    """

    title: str | None = None
    """Line above the picture."""
    label_fps: float | None = None
    """Frame rate behind millisecond labels; without it only frames are counted."""
    azimuth: float | None = None
    """Degrees that the camera is turned towards the subject's left; see `project`. By default 35, and 25 on a map of
    joint errors."""
    elevation: float = 12.0
    """Degrees that the camera is raised."""
    head: str | None = None
    """Joint to draw a head at; by default the one named "Head", if there is one."""

    def __post_init__(self) -> None:
        _labels.check_label_fps(self.label_fps)
