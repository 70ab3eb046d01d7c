from __future__ import annotations

import numpy as np
import pytest
import torch

from posegraph.errors import ConfigError, ShapeError
from posegraph.layers.normalizers import MinMaxNormalizer, ZScoreNormalizer


def test_normaliser_maps_extremes_to_one():
    scale = MinMaxNormalizer()
    values = [torch.tensor([3.0, -7.0]), torch.tensor([[13.0], [5.0]])]
    scale.fit(iter(values))
    assert (float(scale.minimum), float(scale.maximum)) == (-7.0, 13.0)
    assert scale.encode(torch.tensor([-7.0, 3.0, 13.0, 23.0])).tolist() == [-1.0, 0.0, 1.0, 2.0]
    x = 100 * torch.randn(50)
    torch.testing.assert_close(scale.decode(scale.encode(x)), x, rtol=1e-5, atol=1e-4)


def test_a_new_normaliser_changes_nothing():
    x = torch.tensor([-1.0, 0.25, 3.0])
    assert torch.equal(MinMaxNormalizer().encode(x), x)
    assert torch.equal(MinMaxNormalizer().decode(x), x)


def test_the_range_is_stored_with_the_weights():
    scale, other = MinMaxNormalizer(), MinMaxNormalizer()
    scale.set_values(-2.0, 6.0)
    other.load_state_dict(scale.state_dict())
    assert (float(other.minimum), float(other.maximum)) == (-2.0, 6.0)


@pytest.mark.parametrize("extremes", [(1.0, 1.0), (2.0, 1.0), (float("nan"), 1.0)])
def test_the_range_is_not_empty(extremes):
    with pytest.raises(ConfigError, match=r"normalization: expected \(min, max\) with min < max, got \("):
        MinMaxNormalizer().set_values(*extremes)


def test_fitting_needs_different_values():
    with pytest.raises(ConfigError, match=r"expected \(min, max\) with min < max, got \(inf, -inf\)"):
        MinMaxNormalizer().fit([])
    with pytest.raises(ConfigError, match=r"expected \(min, max\) with min < max, got \(2.0, 2.0\)"):
        MinMaxNormalizer().fit([torch.full((3,), 2.0)])


def test_fitting_refuses_nan_wherever_it_is():
    values = [torch.tensor([float("nan"), 1.0]), torch.tensor([-5.0, 5.0])]
    for order in (values, values[::-1]):
        with pytest.raises(ConfigError, match="with min < max, got \\(nan, nan\\)"):
            MinMaxNormalizer().fit(order)


def test_z_scores_match_numpy_over_all_frames():
    generator = torch.Generator().manual_seed(0)
    windows = [1e4 + 50 * torch.randn(n, 7, 5, 3, generator=generator) for n in (3, 1, 8)]
    scale = ZScoreNormalizer(5)
    scale.fit(iter(windows))
    frames = np.concatenate([window.double().numpy().reshape(-1, 5, 3) for window in windows])
    np.testing.assert_allclose(scale.mean, frames.mean(0), rtol=1e-6)
    np.testing.assert_allclose(scale.std, frames.std(0), rtol=1e-5)
    poses = windows[0]
    torch.testing.assert_close(scale.decode(scale.encode(poses)), poses)
    assert float(torch.cat([scale.encode(window).flatten(0, 1) for window in windows]).mean(0).abs().max()) < 1e-3


def test_coordinates_that_do_not_move_are_not_divided_by_their_deviation():
    scale = ZScoreNormalizer(1)
    scale.set_values(torch.zeros(1, 3), torch.tensor([[0.0, 0.9e-4, 1.1e-4]]))
    assert scale.std.tolist() == [[1.0, 1.0, pytest.approx(1.1e-4)]]


def test_z_scores_refuse_what_is_no_statistic():
    scale = ZScoreNormalizer(2)
    with pytest.raises(ShapeError, match=r"std: expected \(2 joints, 3\), got \(3,\)"):
        scale.set_values(torch.zeros(2, 3), torch.ones(3))
    for bad in (torch.full((2, 3), -1.0), torch.full((2, 3), torch.nan)):
        with pytest.raises(ConfigError, match="expected a finite mean and standard deviation for each coordinate"):
            scale.set_values(torch.zeros(2, 3), bad)
    with pytest.raises(ConfigError, match="expected training windows to take mean and deviation from, got none"):
        scale.fit([])
