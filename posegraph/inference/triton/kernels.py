# pyright: basic, reportGeneralTypeIssues=false, reportArgumentType=false, reportMissingImports=false
r"""Kernels of folded layers, written in Triton.

Both kernels compute tiles of a layer, $Y = \sigma(S \odot \sum_i L_i X_i R_i + T)$, with the sums after it. A tile
holds the nodes of one window, or of several, and a block of the channels: it multiplies all of $X$ with a block of
columns of $R$, and everything after that is local to it. For several windows $L$ is block diagonal, so their rows fill
the tile.

`layer_kernel` computes one layer. `network_kernel` computes all of them: its programs stay, and wait for one another
after each layer.

Only operations of `triton.language` itself are used, none of its functions that are kernels themselves: the tests
interpret this module in a process where Triton compiles everything else.
"""

from __future__ import annotations

import triton
import triton.language as tl

__all__ = ["FIELDS", "layer_kernel", "network_kernel"]

FIELDS = tl.constexpr(20)
"""Integers of a layer in the table of `network_kernel`."""


@triton.jit
def factor(x, NUMBER: tl.constexpr, EMULATED: tl.constexpr):  # noqa: N803
    """A factor of a product, rounded to its number type.

    The interpreter has no products of bfloat16, and its rounding to them drops carries: there, floats are rounded bit
    by bit.
    """
    if EMULATED:
        bits = x.to(tl.float32).to(tl.uint32, bitcast=True)
        bits = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
        x = bits.to(tl.float32, bitcast=True)
    else:
        x = x.to(NUMBER)
    return x


@triton.jit
def channel_product(
    x,
    right,
    first_row,
    rows,
    depth,
    x_row,
    x_column,
    first_column,
    ROWS: tl.constexpr,  # noqa: N803
    COLUMNS: tl.constexpr,  # noqa: N803
    DEPTH: tl.constexpr,  # noqa: N803
    RIGHT: tl.constexpr,  # noqa: N803
    NUMBER: tl.constexpr,  # noqa: N803
    PRECISION: tl.constexpr,  # noqa: N803
    EMULATED: tl.constexpr,  # noqa: N803
):
    """``ROWS`` rows of $X R$ in a block of columns, in float32; without $R$, those of $X$."""
    row = first_row + tl.arange(0, ROWS)
    column = tl.arange(0, COLUMNS)
    inside = row < rows
    if RIGHT:
        y = tl.full((ROWS, COLUMNS), 0.0, tl.float32)
        for start in range(0, depth, DEPTH):
            inner = start + tl.arange(0, DEPTH)
            a = tl.load(
                x + row[:, None] * x_row + inner[None, :] * x_column,
                mask=inside[:, None] & (inner < depth)[None, :],
                other=0.0,
            )
            b = tl.load(right + inner[:, None] * COLUMNS + column[None, :])
            a, b = factor(a, NUMBER, EMULATED), factor(b, NUMBER, EMULATED)
            y = tl.dot(a, b, y, input_precision=PRECISION)
    else:
        column += first_column
        y = tl.load(
            x + row[:, None] * x_row + column[None, :] * x_column,
            mask=inside[:, None] & (column < depth)[None, :],
            other=0.0,
        ).to(tl.float32)
    return y


@triton.jit
def add_product(
    y,
    x,
    left,
    right,
    rows,
    depth,
    x_row,
    x_column,
    first_row_out,
    first_column,
    ROWS_IN: tl.constexpr,  # noqa: N803
    ROWS_OUT: tl.constexpr,  # noqa: N803
    ROWS: tl.constexpr,  # noqa: N803
    COLUMNS: tl.constexpr,  # noqa: N803
    DEPTH: tl.constexpr,  # noqa: N803
    LEFT: tl.constexpr,  # noqa: N803
    RIGHT: tl.constexpr,  # noqa: N803
    NUMBER: tl.constexpr,  # noqa: N803
    PRECISION: tl.constexpr,  # noqa: N803
    EMULATED: tl.constexpr,  # noqa: N803
):
    """$Y + L X R$, with ``ROWS`` rows of $X R$ at a time."""
    if LEFT:
        row = first_row_out + tl.arange(0, ROWS_OUT)
        if ROWS == ROWS_IN:
            inner = tl.arange(0, ROWS_IN)
            a = tl.load(left + row[:, None] * ROWS_IN + inner[None, :])
            b = channel_product(
                x, right, 0, rows, depth, x_row, x_column, first_column,
                ROWS, COLUMNS, DEPTH, RIGHT, NUMBER, PRECISION, EMULATED,
            )  # fmt: skip
            a, b = factor(a, NUMBER, EMULATED), factor(b, NUMBER, EMULATED)
            y = tl.dot(a, b, y, input_precision=PRECISION)
        else:
            for first_row in range(0, rows, ROWS):
                inner = first_row + tl.arange(0, ROWS)
                a = tl.load(left + row[:, None] * ROWS_IN + inner[None, :])
                b = channel_product(
                    x, right, first_row, rows, depth, x_row, x_column, first_column,
                    ROWS, COLUMNS, DEPTH, RIGHT, NUMBER, PRECISION, EMULATED,
                )  # fmt: skip
                a, b = factor(a, NUMBER, EMULATED), factor(b, NUMBER, EMULATED)
                y = tl.dot(a, b, y, input_precision=PRECISION)
    else:
        y += channel_product(
            x, right, first_row_out, rows, depth, x_row, x_column, first_column,
            ROWS_OUT, COLUMNS, DEPTH, RIGHT, NUMBER, PRECISION, EMULATED,
        )  # fmt: skip
    return y


@triton.jit
def tanh(x):
    """By exponentials, and by its series near zero, where they would cancel."""
    size = tl.abs(x)
    shrunk = tl.exp(-2.0 * size)
    far = (1.0 - shrunk) / (1.0 + shrunk)
    square = x * x
    near = x * (1.0 + square * (-1.0 / 3.0 + square * (2.0 / 15.0 + square * (-17.0 / 315.0))))
    return tl.where(size < 0.1, near, tl.where(x < 0.0, -far, far))


@triton.jit
def layer_tile(
    x_0,
    x_1,
    left_0,
    left_1,
    right_0,
    right_1,
    scale,
    shift,
    skip_0,
    skip_1,
    out,
    rows_in,
    rows_out,
    nodes,
    depth,
    right_depth,
    width,
    padded_width,
    x_row,
    x_column,
    out_row,
    out_column,
    slope,
    skips,
    row_block,
    column_block,
    INPUTS: tl.constexpr,  # noqa: N803
    LEFT: tl.constexpr,  # noqa: N803
    RIGHT: tl.constexpr,  # noqa: N803
    SKIPS: tl.constexpr,  # noqa: N803
    TANH: tl.constexpr,  # noqa: N803
    ROWS_IN: tl.constexpr,  # noqa: N803
    ROWS_OUT: tl.constexpr,  # noqa: N803
    ROWS: tl.constexpr,  # noqa: N803
    COLUMNS: tl.constexpr,  # noqa: N803
    DEPTH: tl.constexpr,  # noqa: N803
    NUMBER: tl.constexpr,  # noqa: N803
    PRECISION: tl.constexpr,  # noqa: N803
    EMULATED: tl.constexpr,  # noqa: N803
):
    """A tile of a layer, read, computed and written."""
    first_row, first_column = row_block * ROWS_OUT, column_block * COLUMNS
    y = tl.full((ROWS_OUT, COLUMNS), 0.0, tl.float32)
    y = add_product(
        y, x_0, left_0, right_0 + column_block * right_depth * COLUMNS, rows_in, depth, x_row, x_column,
        first_row, first_column, ROWS_IN, ROWS_OUT, ROWS, COLUMNS, DEPTH, LEFT, RIGHT, NUMBER, PRECISION, EMULATED,
    )  # fmt: skip
    if INPUTS == 2:
        y = add_product(
            y, x_1, left_1, right_1 + column_block * right_depth * COLUMNS, rows_in, depth, x_row, x_column,
            first_row, first_column, ROWS_IN, ROWS_OUT, ROWS, COLUMNS, DEPTH, LEFT, RIGHT, NUMBER, PRECISION, EMULATED,
        )  # fmt: skip
    row = first_row + tl.arange(0, ROWS_OUT)
    column = first_column + tl.arange(0, COLUMNS)
    of_node = (row % nodes)[:, None] * padded_width + column[None, :]
    y = y * tl.load(scale + of_node) + tl.load(shift + of_node)
    if TANH:  # noqa: SIM108
        y = tanh(y)
    else:
        y = tl.where(y > 0.0, y, slope * y)
    inside = (row < rows_out)[:, None] & (column < width)[None, :]
    inner = row[:, None] * padded_width + column[None, :]
    if SKIPS > 0:
        y += tl.load(skip_0 + inner, mask=inside & (row < skips * rows_out)[:, None], other=0.0).to(tl.float32)
    if SKIPS > 1:
        y += tl.load(skip_1 + inner, mask=inside & (row < (skips - 1) * rows_out)[:, None], other=0.0).to(tl.float32)
    if out.dtype.element_ty == tl.bfloat16:
        y = factor(y, NUMBER, EMULATED)
    tl.store(out + row[:, None] * out_row + column[None, :] * out_column, y.to(out.dtype.element_ty), mask=inside)


@triton.jit(
    do_not_specialize=[
        "total_in",
        "total_out",
        "group_in",
        "group_out",
        "nodes",
        "row_blocks",
        "column_blocks",
        "skips",
    ]
)
def layer_kernel(
    x_0,
    x_1,
    left_0,
    left_1,
    right_0,
    right_1,
    scale,
    shift,
    skip_0,
    skip_1,
    out,
    total_in,
    total_out,
    group_in,
    group_out,
    nodes,
    depth,
    right_depth,
    width,
    padded_width,
    x_group,
    x_row,
    x_column,
    out_group,
    out_row,
    out_column,
    slope,
    skips,
    row_blocks,
    column_blocks,
    INPUTS: tl.constexpr,  # noqa: N803
    LEFT: tl.constexpr,  # noqa: N803
    RIGHT: tl.constexpr,  # noqa: N803
    SKIPS: tl.constexpr,  # noqa: N803
    TANH: tl.constexpr,  # noqa: N803
    ROWS_IN: tl.constexpr,  # noqa: N803
    ROWS_OUT: tl.constexpr,  # noqa: N803
    ROWS: tl.constexpr,  # noqa: N803
    COLUMNS: tl.constexpr,  # noqa: N803
    DEPTH: tl.constexpr,  # noqa: N803
    NUMBER: tl.constexpr,  # noqa: N803
    PRECISION: tl.constexpr,  # noqa: N803
    EMULATED: tl.constexpr,  # noqa: N803
):
    """One layer; a program for each tile.

    Args:
        x_0: First input, and ``x_1`` the second: rows are nodes, of one window after another.
        x_1: Anything where there is one input, as with all other pointers that a layer has no use for.
        left_0: ``(row_blocks * ROWS_OUT, ROWS_IN)``, zero outside of the blocks of the windows; ``left_1`` as well.
        left_1: See ``left_0``.
        right_0: ``(column_blocks, right_depth, COLUMNS)``, padded with zeros; ``right_1`` as well.
        right_1: See ``right_0``.
        scale: ``(nodes, padded_width)``; ``shift`` as well.
        shift: See ``scale``.
        skip_0: Added in the end, ``(total_out, padded_width)``; ``skip_1`` as well.
        skip_1: See ``skip_0``.
        out: Output, with the strides below.
        total_in: Rows of all windows, and ``total_out`` those of the output.
        total_out: See ``total_in``.
        group_in: Rows of the windows of a tile, and ``group_out`` those of the output.
        group_out: See ``group_in``.
        nodes: Of a window, in the output.
        depth: Channels of the inputs.
        right_depth: Rows of the padded right matrix.
        width: Channels that are written.
        padded_width: Channels of ``scale``, ``shift`` and ``skip``, and of the padded right matrix.
        x_group: Step of ``x`` from one tile of windows to the next; then from row to row and column to column.
        x_row: See ``x_group``.
        x_column: See ``x_group``.
        out_group: Steps of ``out``, as of ``x``.
        out_row: See ``out_group``.
        out_column: See ``out_group``.
        slope: Factor of negative values; 1 for no activation.
        skips: How many of the skips there are, up to ``SKIPS``.
        row_blocks: Tiles that the rows of a group are split into.
        column_blocks: Tiles that the channels are split into.
        INPUTS: 1 or 2.
        LEFT: Whether there are left matrices.
        RIGHT: Whether there are right matrices.
        SKIPS: Largest number of skips.
        TANH: Whether the activation is tanh.
        ROWS_IN: Rows of a group in the input, rounded up to a power of two.
        ROWS_OUT: Rows of a tile of the output, a power of two.
        ROWS: Rows of $X R$ that are computed at a time; divides ``ROWS_IN``.
        COLUMNS: Columns of a tile, a power of two.
        DEPTH: Channels of the inputs that are read at a time; divides ``right_depth``.
        NUMBER: Number type of the factors.
        PRECISION: Of products of float32: "ieee" or "tf32".
        EMULATED: Whether numbers are rounded bit by bit.
    """
    program = tl.program_id(0)
    column_block, rest = program % column_blocks, program // column_blocks
    row_block, group = rest % row_blocks, rest // row_blocks
    skipped = group * group_out * padded_width
    layer_tile(
        x_0 + group * x_group, x_1 + group * x_group, left_0, left_1, right_0, right_1, scale, shift,
        skip_0 + skipped, skip_1 + skipped, out + group * out_group,
        tl.minimum(group_in, total_in - group * group_in), tl.minimum(group_out, total_out - group * group_out),
        nodes, depth, right_depth, width, padded_width, x_row, x_column, out_row, out_column, slope, skips,
        row_block, column_block, INPUTS, LEFT, RIGHT, SKIPS, TANH, ROWS_IN, ROWS_OUT, ROWS, COLUMNS, DEPTH,
        NUMBER, PRECISION, EMULATED,
    )  # fmt: skip


@triton.jit
def read_entry(table):
    """The integers of a layer: sizes, and where its matrices and values begin."""
    return (
        tl.load(table),
        tl.load(table + 1),
        tl.load(table + 2),
        tl.load(table + 3),
        tl.load(table + 4),
        tl.load(table + 5),
        tl.load(table + 6),
        tl.load(table + 7),
        tl.load(table + 8),
        tl.load(table + 9),
        tl.load(table + 10),
        tl.load(table + 11),
        tl.load(table + 12),
        tl.load(table + 13),
        tl.load(table + 14),
        tl.load(table + 15),
        tl.load(table + 16),
        tl.load(table + 17),
        tl.load(table + 18),
        tl.load(table + 19),
    )


@triton.jit
def network_tile(
    frames,
    output,
    entry,
    slope,
    matrices,
    vectors,
    values,
    tile,
    FIRST: tl.constexpr,  # noqa: N803
    LAST: tl.constexpr,  # noqa: N803
    INPUTS: tl.constexpr,  # noqa: N803
    LEFT: tl.constexpr,  # noqa: N803
    RIGHT: tl.constexpr,  # noqa: N803
    TANH: tl.constexpr,  # noqa: N803
    ROWS_IN: tl.constexpr,  # noqa: N803
    ROWS_OUT: tl.constexpr,  # noqa: N803
    ROWS: tl.constexpr,  # noqa: N803
    DEPTH: tl.constexpr,  # noqa: N803
    COLUMNS: tl.constexpr,  # noqa: N803
    NUMBER: tl.constexpr,  # noqa: N803
    PRECISION: tl.constexpr,  # noqa: N803
    EMULATED: tl.constexpr,  # noqa: N803
):
    """A tile of one window of the layer that an entry describes.

    What is a multiple of 16 is written in units of it, so that the compiler knows, and reads many numbers at a time.
    """
    _, rows_in, rows_out, depth, right_depth, width, padded_width, row_blocks, column_blocks = entry[:9]
    x_0, x_1, skip_0, skip_1, out, left_0, left_1, right_0, right_1, vector, skips = entry[9:20]
    right_depth, padded_width = right_depth * 16, padded_width * 16
    column_block, rest = tile % column_blocks, tile // column_blocks
    row_block, window = rest % row_blocks, rest // row_blocks
    if FIRST:
        source_0 = frames + window * rows_in * depth
        source_1 = source_0
        x_row, x_column = 1, rows_in
    else:
        depth = right_depth
        source_0 = values + x_0 * 16 + window * rows_in * depth
        source_1 = values + x_1 * 16 + window * rows_in * depth
        x_row, x_column = depth, 1
    written = window * rows_out * padded_width
    if LAST:
        target = output + window * rows_out * width
        out_row, out_column = 1, rows_out
    else:
        width = padded_width
        target = values + out * 16 + written
        out_row, out_column = padded_width, 1
    layer_tile(
        source_0, source_1, matrices + left_0 * 16, matrices + left_1 * 16,
        matrices + right_0 * 16, matrices + right_1 * 16,
        vectors + vector * 16, vectors + vector * 16 + rows_out * padded_width,
        values + skip_0 * 16 + written, values + skip_1 * 16 + written, target,
        rows_in, rows_out, rows_out, depth, right_depth, width, padded_width,
        x_row, x_column, out_row, out_column, slope, skips, row_block, column_block,
        INPUTS, LEFT, RIGHT, 0 if LAST else 2, TANH, ROWS_IN, ROWS_OUT, ROWS, COLUMNS, DEPTH,
        NUMBER, PRECISION, EMULATED,
    )  # fmt: skip


@triton.jit(do_not_specialize=["windows", "first", "last"])
def network_kernel(
    frames,
    output,
    table,
    slopes,
    matrices,
    vectors,
    values,
    counter,
    windows,
    first,
    last,
    KINDS: tl.constexpr,  # noqa: N803
    COLUMNS: tl.constexpr,  # noqa: N803
    NUMBER: tl.constexpr,  # noqa: N803
    PRECISION: tl.constexpr,  # noqa: N803
    EMULATED: tl.constexpr,  # noqa: N803
):
    """Layers one after another; each program takes every so manieth tile of a layer, then waits for the others.

    All programs must run at the same time, or they wait for ever. So there may be no more than the device holds, and
    where programs run one after another, one program or one layer a launch.

    Args:
        frames: Input, ``(windows, observed_frames, nodes)`` float32.
        output: ``(windows, future_frames, nodes)`` float32.
        table: ``(layers + 1, FIELDS)`` int32, as `network_tile` unpacks a row; the last may be any, since a program
            reads ahead.
        slopes: ``(layers,)`` float32.
        matrices: All left and right matrices, as `layer_kernel` has them, at offsets that the table holds.
        vectors: Scales, each followed by its shift.
        values: What lies between the layers, ``(windows, nodes, padded_width)`` each, float32.
        counter: One int64, 0 before the first launch and used by no other launch at the same time: how many times a
            program arrived at the end of a layer, in all launches.
        windows: Their number.
        first: First layer, and ``last`` the one after the last.
        last: See ``first``.
        KINDS: Of layers: whether it reads ``frames``; whether it writes ``output``; INPUTS, LEFT, RIGHT, TANH,
            ROWS_IN, ROWS_OUT, ROWS and DEPTH of `layer_kernel`.
        COLUMNS: As in `layer_kernel`.
        NUMBER: As in `layer_kernel`.
        PRECISION: As in `layer_kernel`.
        EMULATED: As in `layer_kernel`.
    """
    program, programs = tl.program_id(0), tl.num_programs(0)
    arrivals = programs * tl.maximum(last - first - 1, 1)
    awaited = tl.atomic_add(counter, 0) // arrivals * arrivals  # what earlier launches counted
    entry = read_entry(table + first * FIELDS)
    for layer in range(first, last):
        slope = tl.load(slopes + layer)
        tiles = windows * entry[7] * entry[8]
        for index in tl.static_range(len(KINDS)):
            if entry[0] == index:
                for tile in range(program, tiles, programs):
                    network_tile(
                        frames, output, entry, slope, matrices, vectors, values, tile,
                        KINDS[index][0], KINDS[index][1], KINDS[index][2], KINDS[index][3], KINDS[index][4],
                        KINDS[index][5], KINDS[index][6], KINDS[index][7], KINDS[index][8], KINDS[index][9],
                        COLUMNS, NUMBER, PRECISION, EMULATED,
                    )  # fmt: skip
        entry = read_entry(table + (layer + 1) * FIELDS)
        if layer + 1 < last:
            awaited += programs
            tl.debug_barrier()  # all threads have written their part of the tile
            arrived = tl.atomic_add(counter, 1, sem="acq_rel", scope="gpu") + 1
            while arrived < awaited:
                arrived = tl.atomic_add(counter, 0, sem="acquire", scope="gpu")
            tl.debug_barrier()
