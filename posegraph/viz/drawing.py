"""What all pictures of poses share: labels and the camera."""

from __future__ import annotations

from dataclasses import dataclass

from posegraph.viz import _labels

__all__ = ["Drawing"]


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """Labels and camera of a picture of poses.

    Raises:
        ConfigError: A rate is not above zero.

    Examples:
        >>> from posegraph import viz
        >>> viz.Drawing(title="A forecast", fps=60).elevation
        12.0
    """

    title: str | None = None
    """Line above the picture."""
    fps: float | None = None
    """Frames a second of the poses, behind the times of the picture; without it only frames are counted."""
    label_fps: float | None = None
    """Frame rate that published tables assume. Where it is another one, the picture explains it, and a map of joint
    errors has the tables' label beside the time."""
    azimuth: float | None = None
    """Degrees that the camera is turned towards the subject's left; see `project`. By default 35, and 25 on a map of
    joint errors."""
    elevation: float = 12.0
    """Degrees that the camera is raised."""
    head: str | None = None
    """Joint to draw a head at; by default the one named "Head", if there is one."""

    def __post_init__(self) -> None:
        _labels.Rate(self.fps, self.label_fps)

    @property
    def rate(self) -> _labels.Rate:
        """The times of the picture."""
        return _labels.Rate(self.fps, self.label_fps)
