from __future__ import annotations

import numpy as np
import pytest

from posegraph import viz
from posegraph.errors import ConfigError
from posegraph.viz._scene import Scene
from tests.viz.drawing import CMU, motion


@pytest.mark.parametrize("name", ["fps", "label_fps"])
@pytest.mark.parametrize("rate", [0, -1.0, float("nan")])
def test_rates_are_above_zero(name: str, rate: float) -> None:
    with pytest.raises(ConfigError, match=f"{name}: expected frames a second above 0, got {rate}."):
        viz.Drawing(**{name: rate})


def test_a_camera_that_is_not_turned_stands_where_the_picture_has_it() -> None:
    poses = (np.asarray(motion(1)),)
    assert Scene.of(CMU, poses, viz.Drawing()).azimuth == 35.0
    assert Scene.of(CMU, poses, viz.Drawing(), azimuth=25.0).azimuth == 25.0
    turned = Scene.of(CMU, poses, viz.Drawing(azimuth=0.0, elevation=5.0, head="Neck"), azimuth=25.0)
    assert (turned.azimuth, turned.elevation, turned.head) == (0.0, 5.0, "Neck")
