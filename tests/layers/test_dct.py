from __future__ import annotations

import numpy as np
import pytest
import scipy.fft
import torch

from posegraph.errors import ConfigError, ShapeError
from posegraph.layers.dct import DCT, InverseDCT, dct_matrix


@pytest.mark.parametrize("frames", [1, 2, 20, 35])
def test_dct_matrix_matches_scipy(frames):
    expected = scipy.fft.dct(np.eye(frames), axis=0, norm="ortho")
    matrix = dct_matrix(frames, dtype=torch.float64)
    np.testing.assert_allclose(matrix.numpy(), expected, atol=1e-14)
    torch.testing.assert_close(matrix @ matrix.T, torch.eye(frames, dtype=torch.float64), rtol=0, atol=1e-13)
    assert torch.equal(dct_matrix(frames), matrix.float())


def test_dct_matrix_needs_frames():
    with pytest.raises(ConfigError, match="num_frames: expected an integer of at least 1, got 0"):
        dct_matrix(0)


@pytest.mark.parametrize("kept", [None, 1, 15, 35])
def test_forward_matches_scipy(kept):
    x = np.random.default_rng(0).normal(size=(4, 6, 35))
    expected = scipy.fft.dct(x, axis=-1, norm="ortho")[..., :kept]
    torch.testing.assert_close(DCT(35, kept)(torch.from_numpy(x).float()), torch.from_numpy(expected).float())


@pytest.mark.parametrize("kept", [None, 1, 15])
def test_inverse_matches_scipy(kept):
    count = 35 if kept is None else kept
    y = np.random.default_rng(0).normal(size=(4, count))
    expected = scipy.fft.idct(np.pad(y, ((0, 0), (0, 35 - count))), axis=-1, norm="ortho")
    torch.testing.assert_close(InverseDCT(35, kept)(torch.from_numpy(y).float()), torch.from_numpy(expected).float())


def test_all_coefficients_keep_lengths():
    x = torch.randn(5, 20)
    torch.testing.assert_close(DCT(20)(x).norm(dim=-1), x.norm(dim=-1))


def test_gradients():
    x = torch.randn(2, 6, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(DCT(6, 4).double(), x)
    assert torch.autograd.gradcheck(InverseDCT(9, 6).double(), x)


def test_the_basis_is_not_stored():
    assert DCT(35).state_dict() == InverseDCT(35).state_dict() == {}


def test_printed_form():
    assert str(DCT(35, 20)) == "DCT(35 -> 20)"
    assert str(InverseDCT(35, 20)) == "InverseDCT(20 -> 35)"


@pytest.mark.parametrize("layer", [DCT, InverseDCT])
def test_errors(layer):
    with pytest.raises(ConfigError, match="num_coefficients: expected at most 35, the number of frames, got 36"):
        layer(35, 36)
    with pytest.raises(ConfigError, match="num_coefficients: expected an integer of at least 1, got 0"):
        layer(35, 0)
    with pytest.raises(ConfigError, match="num_frames: expected an integer of at least 1, got 0"):
        layer(0)


def test_inputs_have_time_last():
    with pytest.raises(ShapeError, match=r"^DCT input: expected \(..., 35 frames\), got \(35, 66\)\. Time is the last"):
        DCT(35, 20)(torch.zeros(35, 66))
    with pytest.raises(ShapeError, match=r"^inverse DCT input: expected \(..., 20 coefficients\), got \(66, 35\)"):
        InverseDCT(35, 20)(torch.zeros(66, 35))
    with pytest.raises(ShapeError, match=r"expected \(..., 35 frames\), got \(\)"):
        DCT(35)(torch.tensor(0.0))
