"""Folded networks run by Triton kernels: one launch a layer, or one for all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import torch

from posegraph._support.checks import check_choice, import_optional
from posegraph._support.device import DTYPES, Precision
from posegraph.errors import ConfigError
from posegraph.folding.network import FoldedNetwork
from posegraph.folding.steps import MAX_SKIPS, Matrices, Step, Steps, matrices, share_memory, to_steps
from posegraph.inference.triton.tiling import (
    NETWORK_WARPS,
    STAGES,
    UNIT,
    LayerSize,
    Tiling,
    padded,
    tile_layer,
    tile_network_layer,
)

__all__ = ["LayerByLayer", "Whole", "prepare_layers", "prepare_whole"]

_CHUNK = 1024  # windows a launch: what lies between two layers then stays in the second-level cache
_PURPOSE = "Running a network by Triton kernels"
_PRECISIONS = ("fp32", "tf32", "bf16")


def prepare_layers(
    network: FoldedNetwork, shape: tuple[int | None, ...], precision: Precision, device: torch.device
) -> LayerByLayer:
    """Make a network ready to run with one kernel launch a layer.

    Large batches are run in equal parts, so that what lies between two layers stays in the cache of the device.

    Args:
        network: Any folded network; it is not changed.
        shape: Of the input: ``(batch, observed_frames, nodes)``, or without the batch.
        precision: ``"fp32"``; ``"tf32"`` for products with factors of 10 bits; ``"bf16"`` for factors and values
            between the layers in bfloat16. All sum in float32.
        device: A CUDA device.

    Returns:
        A function of float32 frames on the device. It launches kernels on the current stream and allocates nothing if
        the frames are contiguous. It returns the same buffer at every call.

    Raises:
        MissingDependencyError: Triton is not installed.
        ConfigError: The shape leaves the batch open, or the device is no CUDA device, or there is no such precision,
            or no kernel for an operation of the network.
    """
    kernels = _kernels(device)
    run = LayerByLayer(kernels, network, _sizes(shape), precision, device)
    run(torch.zeros(_sizes(shape), device=device))  # compiles
    return run


def prepare_whole(
    network: FoldedNetwork, shape: tuple[int | None, ...], precision: Precision, device: torch.device
) -> Whole:
    """Make a network ready to run as one kernel, whose programs wait for one another after each layer.

    For a few windows a call: arithmetic is nothing then, and launches are what takes time. Two of these kernels must
    not run at the same time on one device, which a cooperative launch ensures.

    Args:
        network: Any folded network; it is not changed.
        shape: Of the input: ``(batch, observed_frames, nodes)``, or without the batch.
        precision: ``"fp32"``; ``"tf32"`` for products with factors of 10 bits; ``"bf16"`` for factors in bfloat16.
            All sum in float32, and values between the layers are float32.
        device: A CUDA device.

    Returns:
        A function as from `prepare_layers`.

    Raises:
        MissingDependencyError: Triton is not installed.
        ConfigError: As in `prepare_layers`.
    """
    kernels = _kernels(device)
    run = Whole(kernels, network, _sizes(shape), precision, device)
    run(torch.zeros(_sizes(shape), device=device))  # compiles
    return run


def _kernels(device: torch.device) -> ModuleType:
    import_optional("triton", extra="triton", purpose=_PURPOSE)
    from posegraph.inference.triton import kernels

    if device.type != "cuda" and not is_interpreted(kernels):
        raise ConfigError(
            f"device: expected a CUDA device for Triton kernels, got {device}. Use the backend 'eager' there."
        )
    return kernels


def is_interpreted(kernels: ModuleType) -> bool:
    """Whether the kernels are those of Triton's interpreter, which ``TRITON_INTERPRET=1`` asks for."""
    runtime: Any = import_optional("triton.runtime", extra="triton", purpose=_PURPOSE)
    return not isinstance(kernels.layer_kernel, runtime.JITFunction)


def _sizes(shape: Sequence[int | None]) -> tuple[int, ...]:
    sizes = tuple(size for size in shape if size is not None)
    if len(sizes) < len(shape):
        raise ConfigError(f"shape: expected a fixed size for Triton kernels, got {tuple(shape)}. Give a batch size.")
    return sizes


@dataclass(frozen=True)
class _Layer:
    """A layer as a kernel reads it."""

    step: Step
    size: LayerSize
    tiling: Tiling
    slope: float
    tanh: bool
    lefts: tuple[torch.Tensor | None, ...]
    rights: tuple[torch.Tensor | None, ...]
    scale: torch.Tensor
    shift: torch.Tensor


class _Network:
    """What both ways to run share: layers, their padded matrices on the device, input and output."""

    def __init__(
        self,
        kernels: ModuleType,
        network: FoldedNetwork,
        shape: tuple[int, ...],
        precision: Precision,
        device: torch.device,
        tile: Callable[[LayerSize], Tiling],
    ) -> None:
        check_choice("precision", precision, _PRECISIONS)
        self.windows = shape[0] if len(shape) == 3 else 1
        self.steps: Steps = to_steps(network, (shape[-1], shape[-2]))
        self._kernels = kernels
        self._interpreted = is_interpreted(kernels)
        self._number = DTYPES[precision]
        self._layers = [_layer(step, self.steps, tile, self._number, device) for step in self.steps.steps]
        nodes, future_frames = self.steps.shapes[-1]
        self._output = torch.empty(*shape[:-2], future_frames, nodes, device=device)
        language: Any = import_optional("triton.language", extra="triton", purpose=_PURPOSE)
        self._constants: dict[str, Any] = {
            "NUMBER": language.bfloat16 if precision == "bf16" else language.float32,
            "PRECISION": "tf32" if precision == "tf32" else "ieee",
            "EMULATED": precision == "bf16" and self._interpreted,
        }

    def is_first(self, layer: _Layer) -> bool:
        return layer.step is self.steps.steps[0]

    def is_last(self, layer: _Layer) -> bool:
        return layer.step is self.steps.steps[-1]


def _layer(
    step: Step, steps: Steps, tile: Callable[[LayerSize], Tiling], number: torch.dtype, device: torch.device
) -> _Layer:
    shape_in, shape_out = steps.shapes[step.inputs[0]], steps.shapes[step.output]
    numbers: Matrices = matrices(step.layer, shape_out, len(step.inputs))
    ends = (0, len(steps.shapes) - 1)
    inner = (*step.inputs[1:], *step.skips)
    if any(value in ends for value in inner) or len({steps.shapes[value] for value in step.inputs}) > 1:
        raise ConfigError(
            "Triton kernels: expected a network whose layers join values of equal shapes, none of them its input. "
            "Use the backend 'eager'."
        )
    size = LayerSize(
        shape_in,
        shape_out,
        inputs=len(step.inputs),
        left=numbers.lefts[0] is not None,
        right=numbers.rights[0] is not None,
        at_end=step.inputs[0] == 0 or step.output == ends[1],
    )
    tiling = tile(size)
    width = padded(shape_out[1])

    def on_device(tensor: torch.Tensor) -> torch.Tensor:
        return tensor.to(device, number).contiguous()

    return _Layer(
        step=step,
        size=size,
        tiling=tiling,
        slope=numbers.slope,
        tanh=numbers.tanh,
        lefts=tuple(None if left is None else on_device(_block_diagonal(left, tiling)) for left in numbers.lefts),
        rights=tuple(
            None if right is None else on_device(_column_blocks(right, padded(shape_in[1]), tiling))
            for right in numbers.rights
        ),
        scale=_pad(numbers.scale, (shape_out[0], width)).to(device, torch.float32),
        shift=_pad(numbers.shift, (shape_out[0], width)).to(device, torch.float32),
    )


def _pad(matrix: torch.Tensor, shape: tuple[int, int]) -> torch.Tensor:
    full = matrix.new_zeros(shape)
    full[: matrix.shape[0], : matrix.shape[1]] = matrix
    return full


def _block_diagonal(left: torch.Tensor, tiling: Tiling) -> torch.Tensor:
    """``(row_blocks * rows_out, rows_in)``: the matrix once for each window of a group."""
    return _pad(torch.block_diag(*[left] * tiling.group), (tiling.row_blocks * tiling.rows_out, tiling.rows_in))


def _column_blocks(right: torch.Tensor, depth: int, tiling: Tiling) -> torch.Tensor:
    """``(column_blocks, depth, columns)``: what a tile reads lies together."""
    full = _pad(right, (depth, tiling.column_blocks * tiling.columns))
    return full.view(depth, tiling.column_blocks, tiling.columns).transpose(0, 1)


@dataclass(frozen=True)
class Launch:
    """A kernel with its grid, arguments and options."""

    kernel: Any
    programs: int
    arguments: dict[str, Any]
    options: dict[str, Any]

    def __call__(self) -> None:
        """Launch it on the current stream."""
        self.kernel[(self.programs,)](**self.arguments, **self.options)


class LayerByLayer(_Network):
    """A network as one launch a layer; `prepare_layers` makes it.

    Args:
        kernels: The module of the kernels.
        network: As in `prepare_layers`, and so are ``shape``, ``precision`` and ``device``.
        shape: See ``network``.
        precision: See ``network``.
        device: See ``network``.
        processors: Multiprocessors to make tiles for; by default those of the device.
    """

    def __init__(
        self,
        kernels: ModuleType,
        network: FoldedNetwork,
        shape: tuple[int, ...],
        precision: Precision,
        device: torch.device,
        *,
        processors: int | None = None,
    ) -> None:
        windows = shape[0] if len(shape) == 3 else 1
        processors = _processors(device) if processors is None else processors
        self._parts = list(_parts(windows))
        self._most = max((count for _, count in self._parts), default=0)
        super().__init__(
            kernels, network, shape, precision, device, lambda size: tile_layer(size, self._most, precision, processors)
        )
        slots, sizes = share_memory(self.steps, lambda shape: shape[0] * padded(shape[1]))
        buffers = [torch.zeros(self._most * size, dtype=self._number, device=device) for size in sizes]
        self._values = [buffers[slot] if slot >= 0 else None for slot in slots]
        # Windows of a tile are multiplied with zeros of one another, which not-a-number and infinity survive. So the
        # layers read zeros in their place, and the forecasts of such windows are spoiled afterwards.
        self._shares_tiles = any(layer.tiling.group > 1 for layer in self._layers)
        self._finite = torch.empty(shape, device=device) if self._shares_tiles else None
        self._sums = torch.empty(self.windows, 1, 1, device=device)

    def __call__(self, frames: torch.Tensor) -> torch.Tensor:
        """Run the network on ``(batch, observed_frames, nodes)``, or without the batch."""
        if self._finite is None:
            self._run(frames)
        else:
            self._run(torch.nan_to_num(frames, nan=0.0, posinf=0.0, neginf=0.0, out=self._finite))
            torch.sum(frames, dim=(1, 2), keepdim=True, out=self._sums)
            self._output.add_(self._sums, alpha=0.0)
        return self._output

    def _run(self, frames: torch.Tensor) -> None:
        for launch in self.launches(frames):
            launch()

    def launches(self, frames: torch.Tensor) -> Iterable[Launch]:
        """The launches for an input, in order."""
        frames = frames.contiguous().view(self.windows, *frames.shape[-2:])
        output = self._output.view(self.windows, *self._output.shape[-2:])
        for start, count in self._parts:
            part = slice(start, start + count)
            for layer in self._layers:
                yield self._launch(layer, frames[part], output[part], count)

    def _launch(self, layer: _Layer, frames: torch.Tensor, output: torch.Tensor, windows: int) -> Launch:
        tiling, (nodes_in, depth), (nodes, width) = layer.tiling, layer.size.shape_in, layer.size.shape_out
        padded_width = padded(width)
        if self.is_first(layer):
            inputs, x_steps = [frames], (nodes_in * depth, 1, nodes_in)
        else:
            inputs, depth = [self._values[value] for value in layer.step.inputs], padded(depth)
            x_steps = (tiling.group * nodes_in * depth, depth, 1)
        if self.is_last(layer):
            out, out_steps = output, (nodes * width, 1, nodes)
        else:
            out, width = self._values[layer.step.output], padded_width
            out_steps = (tiling.group * nodes * width, width, 1)
        skips = [self._values[value] for value in layer.step.skips]
        unused = layer.scale
        arguments: dict[str, Any] = {
            **_numbered("x", inputs, inputs[0]),
            **_numbered("left", layer.lefts, unused),
            **_numbered("right", layer.rights, unused),
            "scale": layer.scale,
            "shift": layer.shift,
            **_numbered("skip", skips, out),
            "out": out,
            "total_in": windows * nodes_in,
            "total_out": windows * nodes,
            "group_in": tiling.group * nodes_in,
            "group_out": tiling.group * nodes,
            "nodes": nodes,
            "depth": depth,
            "right_depth": padded(depth),
            "width": width,
            "padded_width": padded_width,
            **dict(zip(("x_group", "x_row", "x_column"), x_steps, strict=True)),
            **dict(zip(("out_group", "out_row", "out_column"), out_steps, strict=True)),
            "slope": layer.slope,
            "skips": len(skips),
            "row_blocks": tiling.row_blocks,
            "column_blocks": tiling.column_blocks,
            "INPUTS": layer.size.inputs,
            "LEFT": layer.size.left,
            "RIGHT": layer.size.right,
            "SKIPS": len(skips),
            "TANH": layer.tanh,
            "ROWS_IN": tiling.rows_in,
            "ROWS_OUT": tiling.rows_out,
            "ROWS": tiling.rows,
            "COLUMNS": tiling.columns,
            "DEPTH": tiling.depth,
            **self._constants,
        }
        options = {"num_warps": tiling.warps, "num_stages": tiling.stages}
        return Launch(self._kernels.layer_kernel, tiling.programs(windows), arguments, options)


def _numbered(name: str, values: Sequence[torch.Tensor | None], unused: torch.Tensor | None) -> dict[str, Any]:
    """Arguments ``name_0`` and ``name_1``."""
    given = [unused if value is None else value for value in (*values, None, None)][:MAX_SKIPS]
    return {f"{name}_{index}": value for index, value in enumerate(given)}


def _parts(windows: int) -> Iterable[tuple[int, int]]:
    """First window and number of windows of parts that differ by one at most."""
    count = -(-windows // _CHUNK)
    for index in range(count):
        start, end = windows * index // count, windows * (index + 1) // count
        yield start, end - start


def _processors(device: torch.device) -> int:
    if device.type != "cuda":
        return 1  # the interpreter runs one program after another
    return torch.cuda.get_device_properties(device).multi_processor_count


class Whole(_Network):
    """A network as one launch; `prepare_whole` makes it.

    Args:
        kernels: The module of the kernels.
        network: As in `prepare_whole`, and so are ``shape``, ``precision`` and ``device``.
        shape: See ``network``.
        precision: See ``network``.
        device: See ``network``.
        processors: Programs that may run at a time; by default one a multiprocessor of the device.
    """

    def __init__(
        self,
        kernels: ModuleType,
        network: FoldedNetwork,
        shape: tuple[int, ...],
        precision: Precision,
        device: torch.device,
        *,
        processors: int | None = None,
    ) -> None:
        most_nodes = max(nodes for nodes, _ in to_steps(network, (shape[-1], shape[-2])).shapes)
        super().__init__(
            kernels, network, shape, precision, device, lambda size: tile_network_layer(size, precision, most_nodes)
        )
        slots, sizes = share_memory(self.steps, lambda shape: shape[0] * padded(shape[1]))
        starts = [self.windows * sum(sizes[:slot]) for slot in range(len(sizes))]
        self._starts = [starts[slot] if slot >= 0 else 0 for slot in slots]
        self._values = torch.zeros(self.windows * sum(sizes), device=device)
        self._matrices = _Packed(self._number)
        self._vectors = _Packed(torch.float32)
        self._kinds: list[tuple[Any, ...]] = []
        rows = [self._entry(layer) for layer in self._layers]
        self._table = torch.tensor([*rows, rows[0]], dtype=torch.int32, device=device)
        self._slopes = torch.tensor([layer.slope for layer in self._layers], device=device)
        self._counter = torch.zeros(1, dtype=torch.int64, device=device)
        self._packed = self._matrices.on(device), self._vectors.on(device)
        tiles = max(layer.tiling.programs(self.windows) for layer in self._layers)
        self.programs = min(tiles, _processors(device) if processors is None else processors)
        """Programs of a launch: no more than run at the same time."""

    def __call__(self, frames: torch.Tensor) -> torch.Tensor:
        """Run the network on ``(batch, observed_frames, nodes)``, or without the batch."""
        self.launch(frames)()
        return self._output

    def launch(self, frames: torch.Tensor, first: int = 0, last: int | None = None) -> Launch:
        """The launch of a range of layers, by default all, for an input."""
        weights, vectors = self._packed
        arguments: dict[str, Any] = {
            "frames": frames.contiguous(),
            "output": self._output,
            "table": self._table,
            "slopes": self._slopes,
            "matrices": weights,
            "vectors": vectors,
            "values": self._values,
            "counter": self._counter,
            "windows": self.windows,
            "first": first,
            "last": len(self._layers) if last is None else last,
            "KINDS": tuple(self._kinds),
            "COLUMNS": self._layers[0].tiling.columns,
            **self._constants,
        }
        options: dict[str, Any] = {"num_warps": NETWORK_WARPS, "num_stages": STAGES}
        if not self._interpreted:
            options["launch_cooperative_grid"] = True
        return Launch(self._kernels.network_kernel, self.programs, arguments, options)

    def _entry(self, layer: _Layer) -> list[int]:
        """The row of a layer in the table."""
        tiling, (nodes_in, depth), (nodes, width) = layer.tiling, layer.size.shape_in, layer.size.shape_out
        kind = (
            self.is_first(layer),
            self.is_last(layer),
            layer.size.inputs,
            layer.size.left,
            layer.size.right,
            layer.tanh,
            tiling.rows_in,
            tiling.rows_out,
            tiling.rows,
            tiling.depth,
        )
        if kind not in self._kinds:
            self._kinds.append(kind)
        inputs = [self._starts[value] for value in layer.step.inputs]
        skips = [self._starts[value] for value in layer.step.skips]
        lefts = [self._matrices.add(left) for left in layer.lefts]
        rights = [self._matrices.add(right) for right in layer.rights]
        vector = self._vectors.add(torch.cat([layer.scale, layer.shift]))
        starts = (*_two(inputs), *_two(skips), self._starts[layer.step.output], *_two(lefts), *_two(rights), vector)
        return [
            self._kinds.index(kind),
            nodes_in,
            nodes,
            depth,
            padded(depth) // UNIT,
            width,
            padded(width) // UNIT,
            tiling.row_blocks,
            tiling.column_blocks,
            *(start // UNIT for start in starts),
            len(skips),
        ]


def _two(numbers: Sequence[int]) -> list[int]:
    return [*numbers, 0, 0][:2]


class _Packed:
    """Tensors one after another in one."""

    def __init__(self, dtype: torch.dtype) -> None:
        self._dtype = dtype
        self._parts: list[torch.Tensor] = []
        self._size = 0

    def add(self, tensor: torch.Tensor | None) -> int:
        """Append a tensor and return where it starts; 0 for none."""
        if tensor is None:
            return 0
        start = self._size
        self._parts.append(tensor.reshape(-1))
        self._size += tensor.numel()
        return start

    def on(self, device: torch.device) -> torch.Tensor:
        return torch.cat(self._parts).to(device, self._dtype)
