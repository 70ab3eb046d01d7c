from __future__ import annotations

import itertools

import pytest

from posegraph.inference.triton.tiling import LayerSize, Tiling, estimate, padded, tile_layer, tile_network_layer

PRECISIONS = ("fp32", "tf32", "bf16")
SHAPES = [
    ((66, 10), (66, 256)),
    ((66, 64), (66, 25)),
    ((75, 256), (75, 256)),
    ((36, 128), (36, 128)),
    ((21, 35), (12, 35)),
    ((12, 512), (12, 512)),
    ((1, 1), (1, 1)),
    ((150, 48), (150, 48)),
]


def covers(tiling: Tiling, size: LayerSize) -> bool:
    nodes_in, nodes_out = size.shape_in[0], size.shape_out[0]
    rows = tiling.group * nodes_out
    return (
        tiling.group * nodes_in <= (tiling.rows_in if size.right or size.left else tiling.rows_out)
        and (tiling.row_blocks - 1) * tiling.rows_out < rows <= tiling.row_blocks * tiling.rows_out
        and tiling.column_blocks * tiling.columns == padded(size.shape_out[1])
        and padded(size.shape_in[1]) % tiling.depth == 0
        and tiling.rows_in % tiling.rows == 0
    )


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize(("shape_in", "shape_out"), SHAPES, ids=str)
def test_tiles_cover_a_layer(shape_in: tuple[int, int], shape_out: tuple[int, int], precision: str) -> None:
    for windows, at_end in itertools.product((1, 2, 17, 128, 1024), (False, True)):
        size = LayerSize(shape_in, shape_out, 1, left=True, right=True, at_end=at_end)
        tiling = tile_layer(size, windows, precision, 132)
        assert covers(tiling, size)
        assert tiling.group <= (1 if at_end else windows)
        assert tiling.programs(windows) * tiling.group * tiling.rows_out * tiling.columns >= windows * shape_out[0]
        assert covers(tile_network_layer(size, precision, max(shape_in[0], shape_out[0])), size)


def test_the_sizes_of_blocks_are_powers_of_two() -> None:
    for (shape_in, shape_out), precision in itertools.product(SHAPES, PRECISIONS):
        size = LayerSize(shape_in, shape_out, 2, left=True, right=False, at_end=False)
        for tiling in (tile_layer(size, 64, precision, 132), tile_network_layer(size, precision, 75)):
            sizes = (tiling.rows_in, tiling.rows_out, tiling.rows, tiling.columns, tiling.depth)
            assert all(one >= 16 and one.bit_count() == 1 for one in sizes), tiling


def test_one_window_is_spread_over_many_programs_and_many_fill_tiles() -> None:
    size = LayerSize((12, 512), (12, 512), 1, left=True, right=True, at_end=False)
    one, many = (tile_layer(size, windows, "bf16", 132) for windows in (1, 1024))
    assert one.programs(1) == 32
    assert many.group * 12 > 0.9 * many.rows_out, "tiles of many windows are nearly full"
    assert estimate(many, size, 1024, "bf16", 132) < 0.5 * estimate(one, size, 1024, "bf16", 132)


def test_the_estimate_grows_with_the_work() -> None:
    size = LayerSize((36, 128), (36, 128), 1, left=True, right=True, at_end=False)
    tiling = tile_layer(size, 1024, "bf16", 132)
    times = [estimate(tiling, size, windows, "bf16", 132) for windows in (1, 1024, 4096)]
    assert times == sorted(times)
    assert estimate(tiling, size, 1024, "fp32", 132) > times[1]
