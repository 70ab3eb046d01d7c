from __future__ import annotations

import pytest
import torch

from posegraph.layers._products import product_from_left


@pytest.mark.parametrize("shift", [None, torch.randn(6), torch.randn(3, 1)])
def test_it_is_the_product_of_every_sample(shift):
    matrix, x = torch.randn(3, 4), torch.randn(5, 4, 6)
    expected = torch.stack([matrix @ sample + (0 if shift is None else shift) for sample in x])
    torch.testing.assert_close(product_from_left(matrix, x, shift), expected)


def test_gradients():
    tensors = [torch.randn(shape, dtype=torch.float64, requires_grad=True) for shape in ((2, 3), (4, 3, 2), (2,))]
    assert torch.autograd.gradcheck(product_from_left, tensors)


def test_several_models_at_once():
    """What training several seeds does: the matrices are batched too."""
    matrices, x = torch.randn(3, 2, 4), torch.randn(3, 5, 4, 6)
    found = torch.func.vmap(product_from_left)(matrices, x)
    torch.testing.assert_close(found, torch.einsum("snm,sbmc->sbnc", matrices, x))
