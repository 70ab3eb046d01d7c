"""Pictures of forecasts and of their errors.

| function | picture |
|---|---|
| `animate` | the observed poses, then a forecast over the true poses, as an animated GIF |
| `pose_strip` | poses of one forecast side by side |
| `compare_strips` | poses of several forecasts below the true ones, with their errors |
| `error_curve`, `error_panels` | error of several models against the forecast frame |
| `joint_error_map` | error of every joint, on the body |

They need the extra ``viz`` (matplotlib and Pillow) but no display, and leave matplotlib's settings alone. Text can be
read where a picture is 800 pixels wide. Colours can be told apart with any colour vision (Okabe and Ito, "Color
Universal Design", 2008); the scale of errors, matplotlib's "viridis", can be read in grey as well.

Poses may be positions or rotations; rotations are turned into positions first.

Pictures of poses count frames from the last observed one: forecast frame 9 of a table is "+10 frames". Pictures of
numbers count as tables do.
"""

from posegraph.viz._scene import project
from posegraph.viz._style import CURVES, OBSERVED, SIDES, TRUTH
from posegraph.viz.animation import animate
from posegraph.viz.curves import error_curve, error_panels
from posegraph.viz.drawing import Drawing
from posegraph.viz.html import write_page
from posegraph.viz.joints import joint_error_map
from posegraph.viz.strips import compare_strips, pose_strip

__all__ = [
    "CURVES",
    "OBSERVED",
    "SIDES",
    "TRUTH",
    "Drawing",
    "animate",
    "compare_strips",
    "error_curve",
    "error_panels",
    "joint_error_map",
    "pose_strip",
    "project",
    "write_page",
]
