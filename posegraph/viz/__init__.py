"""Pictures of forecasts and of their errors.

| function | picture |
|---|---|
| `write_page` | motion and forecasts in three dimensions, as one HTML file for any browser |
| `animate` | the observed poses, then forecasts over the true poses, as an animated GIF at true speed |
| `pose_strip` | poses of one forecast side by side |
| `compare_strips` | poses of several forecasts below the true ones, with their errors |
| `error_curve`, `error_panels` | error of several models against the forecast frame |
| `joint_error_map` | error of every joint, on the body |

All but the page need the extra ``viz`` (matplotlib and Pillow), none needs a display, and matplotlib's settings are
left alone. Text can be read where a picture is 800 pixels wide. Colours can be told apart with any colour vision (Okabe
and Ito, "Color Universal Design", 2008); the scale of errors, matplotlib's "viridis", can be read in grey as well.

Poses may be positions or rotations; rotations are turned into positions first.

Pictures of poses count frames from the last observed one: forecast frame 9 of a table is "+10 frames". Pictures of
numbers count as tables do. Times are true ones, from the frame rate of the poses; where published tables label frames
by another rate, their label stands beside the time: "frame 24, 417 ms (labelled 1000 ms)".
"""

from posegraph.viz._scene import project
from posegraph.viz._style import CURVES, OBSERVED, SIDES, TRUTH
from posegraph.viz.animation import AnimationOptions, animate
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
    "AnimationOptions",
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
