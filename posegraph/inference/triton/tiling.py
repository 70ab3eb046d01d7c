"""How the layers of a network are split into tiles for a GPU: sizes of blocks, by a model of their cost.

Nothing here runs on a GPU; the figures describe one of NVIDIA's Hopper generation, and others differ by factors that
hardly change the choice.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

from posegraph.folding.steps import NodeShape

__all__ = [
    "NETWORK_WARPS",
    "STAGES",
    "UNIT",
    "LayerSize",
    "Tiling",
    "estimate",
    "padded",
    "tile_layer",
    "tile_network_layer",
]

UNIT = 16
"""Rows, columns and depth of the smallest product of tensor cores; channels are padded to multiples."""
_ROWS, _AREA = 128, 128 * 128  # of a tile; larger ones do not fit in registers
_SHARED = 200 * 1024  # bytes that a program may hold: a little less than what a multiprocessor has
_PRODUCTS = {"fp32": 110.0, "tf32": 750.0, "bf16": 1500.0}  # multiplications a ns and multiprocessor, half of the peak
_BYTES = 40.0  # from the second-level cache, a ns and multiprocessor
_START, _ROUND = 1000.0, 150.0  # ns of a program, and of each block of channels that it reads
_WIDTH = {"fp32": 4, "tf32": 4, "bf16": 2}  # bytes of a number
_DEPTH = {"fp32": 16, "tf32": 32, "bf16": 64}  # channels that are read at a time; registers limit fp32
STAGES = 3
"""Blocks that are on their way at a time."""
# One kernel holds the code of all layers, and registers for the largest: so blocks are smaller there.
_NETWORK_ROWS = {"fp32": 64, "tf32": 64, "bf16": 64}
_NETWORK_AREA = {"fp32": 2048, "tf32": 4096, "bf16": 4096}  # rows times channels that are read at a time
NETWORK_WARPS = 8
"""Warps of a program where all layers are one launch."""


@dataclass(frozen=True)
class LayerSize:
    """What the cost of a layer depends on."""

    shape_in: NodeShape
    shape_out: NodeShape
    inputs: int
    left: bool
    right: bool
    at_end: bool
    """Whether it reads or writes poses, whose rows are columns: its tiles hold one window."""


@dataclass(frozen=True)
class Tiling:
    """How a layer is split; the names are those of the arguments of its kernel."""

    group: int
    """Windows of a tile."""
    rows_in: int
    rows_out: int
    row_blocks: int
    rows: int
    columns: int
    column_blocks: int
    depth: int
    warps: int
    stages: int = STAGES

    def programs(self, windows: int) -> int:
        """Number of tiles of so many windows."""
        return -(-windows // self.group) * self.row_blocks * self.column_blocks


def padded(channels: int) -> int:
    """Channels with the zeros that fill the last block."""
    return -(-channels // UNIT) * UNIT


def _power_of_two(size: int) -> int:
    return max(UNIT, 1 << (size - 1).bit_length())


def _largest_divisor(size: int, limit: int) -> int:
    """The largest power of two that divides a padded size, up to a limit."""
    return math.gcd(size, limit)


def tile_layer(size: LayerSize, windows: int, precision: str, processors: int) -> Tiling:
    """The tiles of a layer in a launch of its own.

    Args:
        size: Of the layer.
        windows: In a launch.
        precision: ``"fp32"``, ``"tf32"`` or ``"bf16"``.
        processors: Multiprocessors of the device.

    Returns:
        The tiling of the least estimated time.

    Examples:
        >>> from posegraph.inference.triton.tiling import LayerSize, tile_layer
        >>> size = LayerSize((12, 512), (12, 512), inputs=1, left=True, right=True, at_end=False)
        >>> tile_layer(size, 1, "bf16", 132).columns, tile_layer(size, 1024, "bf16", 132).group
        (16, 10)
    """
    fitting = [one for one in _candidates(size, windows, precision) if _shared(one, precision) <= _SHARED]

    def cost(one: Tiling) -> tuple[float, int]:
        return estimate(one, size, windows, precision, processors), one.programs(windows)

    return min(fitting, key=cost)


def _candidates(size: LayerSize, windows: int, precision: str) -> Iterator[Tiling]:
    nodes_in, nodes_out = size.shape_in[0], size.shape_out[0]
    most = 1 if size.at_end else max(1, min(windows, _ROWS // max(nodes_in, nodes_out)))
    for group in range(1, most + 1):
        rows_in, all_rows_out = _power_of_two(group * nodes_in), _power_of_two(group * nodes_out)
        for rows_out in {all_rows_out, *((32,) if group == 1 and nodes_out > 32 else ())}:
            for columns in (16, 32, 64, 128):
                if padded(size.shape_out[1]) % columns == 0 and rows_out * columns <= _AREA:
                    yield _tiling(size, group, rows_in, rows_out, columns, precision)


def _tiling(size: LayerSize, group: int, rows_in: int, rows_out: int, columns: int, precision: str) -> Tiling:
    rows = min(rows_in, UNIT) if precision == "fp32" else rows_in
    return Tiling(
        group=group,
        rows_in=rows_in,
        rows_out=rows_out,
        row_blocks=-(-group * size.shape_out[0] // rows_out),
        rows=rows,
        columns=columns,
        column_blocks=padded(size.shape_out[1]) // columns,
        depth=_largest_divisor(padded(size.shape_in[1]), _DEPTH[precision]),
        warps=8 if rows_out * columns >= 64 * 128 else 4,
    )


def _shared(tiling: Tiling, precision: str) -> int:
    """Bytes of the blocks that a program holds at a time."""
    read = tiling.stages * tiling.depth * (tiling.rows + tiling.columns)
    mixed = tiling.rows * (tiling.rows_out + tiling.columns)
    return _WIDTH[precision] * (read + mixed)


def estimate(tiling: Tiling, size: LayerSize, windows: int, precision: str, processors: int) -> float:
    """Nanoseconds of a layer, without the launch: rounds of programs, each starting, reading and multiplying."""
    channels = padded(size.shape_in[1])
    rows_read = tiling.rows_in if size.left else tiling.rows_out
    used = tiling.rows * -(-tiling.group * size.shape_in[0] // tiling.rows) if size.left else rows_read
    mixing = tiling.rows_out * used * tiling.columns if size.left else 0
    products = size.inputs * ((used * channels * tiling.columns if size.right else 0) + mixing)
    numbers = size.inputs * (used * (channels if size.right else tiling.columns) + tiling.rows_out * tiling.rows_in)
    numbers += size.inputs * channels * tiling.columns + 2 * tiling.rows_out * tiling.columns
    full = 1.0 if precision == "fp32" else min(1.0, tiling.rows / 64) * min(1.0, tiling.columns / 64)
    time = products / (_PRODUCTS[precision] * max(full, 0.1)) + numbers * _WIDTH[precision] / _BYTES
    rounds = -(-tiling.programs(windows) // processors)
    return _START + rounds * (time + _ROUND * size.inputs * (channels // tiling.depth if size.right else 1))


def tile_network_layer(size: LayerSize, precision: str, most_nodes: int) -> Tiling:
    """The tiles of a layer where all layers are one launch, for few windows: many programs for each.

    Args:
        size: Of the layer.
        precision: ``"fp32"``, ``"tf32"`` or ``"bf16"``.
        most_nodes: Largest number of nodes in the network. Layers without a product of channels take their blocks
            from it, so that they share code.
    """
    nodes_in = size.shape_in[0] if size.right else most_nodes
    rows_in, rows_out = _power_of_two(nodes_in), min(32, _power_of_two(size.shape_out[0] if size.right else most_nodes))
    channels = padded(size.shape_in[1])
    rows = min(rows_in, _NETWORK_ROWS[precision])
    limit = max(UNIT, min(128, _NETWORK_AREA[precision] // rows))
    return Tiling(
        group=1,
        rows_in=rows_in,
        rows_out=rows_out,
        row_blocks=-(-size.shape_out[0] // rows_out),
        rows=rows,
        columns=UNIT,
        column_blocks=padded(size.shape_out[1]) // UNIT,
        depth=_largest_divisor(channels, limit) if size.right else UNIT,
        warps=NETWORK_WARPS,
    )
