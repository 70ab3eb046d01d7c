"""Layers against the same sums by PyTorch Geometric and by plain einsum, on the same weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import torch
from torch import nn

from benchmarks.harness import counts
from benchmarks.harness.case import Case, Comparison, Variant, relative_error
from benchmarks.harness.timing import Run
from posegraph.folding.layers import fold
from posegraph.layers import GraphConv, JointPool, NodeResample, ResidualGraphBlock
from posegraph.skeleton import presets
from posegraph.skeleton.adjacency import node_adjacency
from posegraph.skeleton.pyg import grouping_to_select

NODES, COARSE_NODES, CHANNELS, FRAMES = 66, 36, 256, 35
BATCHES = (1, 16, 128)
TOLERANCE = 1e-5
"""Largest error of an output, or of the input's gradient, relative to the largest of its values."""
Tensors = Mapping[str, torch.Tensor]
Maker = Callable[[], Callable[[torch.Tensor], torch.Tensor]]


@dataclass(frozen=True)
class Layer:
    """A layer with its weights, and who else computes it."""

    shape: tuple[int, ...]
    """Of one input."""
    weights: Tensors
    formula: Callable[[torch.Tensor, Tensors], torch.Tensor]
    """The layer written out; in float64 it is the truth, in float32 one of the variants."""
    makers: Mapping[str, Maker]
    """Modules with these weights, ours first."""
    backward: bool = True
    """Whether it is trained with gradients through it."""


def cases(device: str) -> Iterator[Case]:
    """Every layer at every batch size, forward alone and with gradients."""
    for name, make in LAYERS.items():
        layer = make()
        for setting in ("forward", "forward+backward") if layer.backward else ("forward",):
            for batch in BATCHES:
                yield Case(
                    kind="layers",
                    device=device,
                    subject=name,
                    setting=setting,
                    batch=batch,
                    variants=[(maker, "fp32") for maker in (*layer.makers, "einsum")],
                    prepare=partial(comparison, layer, batch, device, backward=setting != "forward"),
                    rank=5,
                )


def comparison(layer: Layer, batch: int, device: str, *, backward: bool) -> Comparison:
    """All ways to compute a layer, at one size."""
    generator = torch.Generator().manual_seed(1)
    inputs = [torch.randn(batch, *layer.shape, generator=generator) for _ in range(4)]
    exact = partial(layer.formula, weights={name: weight.double() for name, weight in layer.weights.items()})
    outgoing = torch.randn(exact(inputs[0].double()).shape, generator=generator)
    flop = counts.flop(lambda: _result(exact, inputs[0].double(), outgoing.double() if backward else None))

    def prepare(make: Maker) -> Run:
        call = make()
        call = call.to(device) if isinstance(call, nn.Module) else call
        gradient = outgoing.to(device) if backward else None
        return lambda x: _result(call, x, gradient)

    def error(_: Variant, run: Run) -> float:
        expected = _result(exact, inputs[0].double(), outgoing.double() if backward else None)
        return max(
            relative_error(result.cpu(), truth)
            for result, truth in zip(run(inputs[0].to(device)), expected, strict=True)
        )

    makers = {**layer.makers, "einsum": lambda: _Formula(layer)}
    return Comparison(
        variants=[Variant(name, "fp32", partial(prepare, make), TOLERANCE, flop) for name, make in makers.items()],
        inputs=inputs,
        error=error,
        windows=batch,
        around=nullcontext if backward else torch.inference_mode,
    )


def _result(
    call: Callable[[torch.Tensor], torch.Tensor], x: torch.Tensor, outgoing: torch.Tensor | None
) -> tuple[torch.Tensor, ...]:
    """The output; with an outgoing gradient also the input's, and all weights have theirs then."""
    if outgoing is None:
        return (call(x),)
    if isinstance(call, nn.Module):
        call.zero_grad(set_to_none=True)
    x = x.detach().requires_grad_()
    y = call(x)
    y.backward(outgoing)
    assert x.grad is not None
    return y.detach(), x.grad


class _Formula(nn.Module):
    """A layer's formula, with its weights as parameters."""

    def __init__(self, layer: Layer) -> None:
        super().__init__()
        self.formula = layer.formula
        self.weights = nn.ParameterDict(dict(layer.weights))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.formula(x, self.weights)  # type: ignore[arg-type]


def _filled(module: nn.Module, **values: torch.Tensor) -> nn.Module:
    """A module with these values in its parameters."""
    with torch.no_grad():
        for name, value in values.items():
            module.get_parameter(name.replace("__", ".")).copy_(value)
    return module


def _uniform(generator: torch.Generator, *shape: int) -> torch.Tensor:
    bound = shape[-1] ** -0.5
    return torch.empty(shape).uniform_(-bound, bound, generator=generator)


# Graph convolution. PyTorch Geometric normalises a dense adjacency itself, so ours is given the normalised one.


def _graph_conv(graph: torch.Tensor) -> Layer:
    generator = torch.Generator().manual_seed(0)
    degree = graph.sum(1)
    adjacency = graph / (degree[:, None] * degree).sqrt()
    weights = {
        "adjacency": adjacency,
        "weight": _uniform(generator, CHANNELS, CHANNELS),
        "bias": _uniform(generator, CHANNELS),
    }
    complete = bool((graph != 0).all())
    ours = lambda: _filled(  # noqa: E731
        GraphConv(CHANNELS, CHANNELS, NODES, mask=None if complete else adjacency), **weights
    )
    return Layer(
        shape=(NODES, CHANNELS),
        weights=weights,
        formula=lambda x, weights: (
            torch.einsum("ij,bjc,cd->bid", weights["adjacency"], x, weights["weight"]) + weights["bias"]
        ),
        makers={
            "GraphConv": ours,
            "DenseGCNConv": lambda: _DenseGCN(graph, weights),
            "GCNConv": lambda: _SparseGCN(weights),
        },
    )


class _DenseGCN(nn.Module):
    """`torch_geometric.nn.DenseGCNConv` with the strengths of its graph as parameters."""

    def __init__(self, graph: torch.Tensor, weights: Tensors) -> None:
        from torch_geometric.nn import DenseGCNConv

        super().__init__()
        self.conv = _filled(DenseGCNConv(CHANNELS, CHANNELS), lin__weight=weights["weight"].T, bias=weights["bias"])
        self.graph = nn.Parameter(graph.clone())

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x, self.graph, add_loop=False)


class _SparseGCN(nn.Module):
    """`torch_geometric.nn.GCNConv` with a parameter for each edge."""

    edge_index: torch.Tensor

    def __init__(self, weights: Tensors) -> None:
        from torch_geometric.nn import GCNConv

        super().__init__()
        conv = GCNConv(CHANNELS, CHANNELS, normalize=False)
        self.conv = _filled(conv, lin__weight=weights["weight"].T, bias=weights["bias"])
        target, source = weights["adjacency"].nonzero(as_tuple=True)
        self.register_buffer("edge_index", torch.stack([source, target]))
        self.edge_weight = nn.Parameter(weights["adjacency"][target, source])

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x, self.edge_index, self.edge_weight)


def _complete_graph() -> torch.Tensor:
    return 0.1 + torch.rand(NODES, NODES, generator=torch.Generator().manual_seed(2))


def _skeleton_graph() -> torch.Tensor:
    """Coordinates of the same and of neighbouring joints."""
    used = presets.get("h36m").reduced
    return (node_adjacency(used.bones, used.num_joints) != 0).float()


# Between scales.


def _node_resample() -> Layer:
    generator = torch.Generator().manual_seed(0)
    weights = {
        "weight": _uniform(generator, COARSE_NODES, NODES),
        "bias": torch.rand(COARSE_NODES, generator=generator),
    }
    return Layer(
        shape=(NODES, CHANNELS),
        weights=weights,
        formula=lambda x, weights: torch.einsum("ij,bjc->bic", weights["weight"], x) + weights["bias"][:, None],
        makers={
            "NodeResample": lambda: _filled(NodeResample(NODES, COARSE_NODES), **weights),
            "Linear, transposed": lambda: _TransposedLinear(weights),
        },
    )


class _TransposedLinear(nn.Module):
    """`torch.nn.Linear` along the nodes."""

    def __init__(self, weights: Tensors) -> None:
        super().__init__()
        self.linear = _filled(nn.Linear(NODES, COARSE_NODES), **weights)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.linear(x.transpose(1, 2)).transpose(1, 2)


def _joint_pool() -> Layer:
    (grouping,) = presets.get("h36m").scales(2)
    return Layer(
        shape=(FRAMES, grouping.num_joints, 3),
        weights={"matrix": grouping.pool_matrix()},
        formula=lambda x, weights: torch.einsum("ij,btjc->btic", weights["matrix"], x),
        makers={"JointPool": lambda: JointPool(grouping), "scatter": lambda: _ScatterMean(grouping)},
        backward=False,
    )


class _ScatterMean(nn.Module):
    """The mean of each group by `torch_geometric.utils.scatter`."""

    joints: torch.Tensor
    groups: torch.Tensor

    def __init__(self, grouping: Any) -> None:
        super().__init__()
        select = grouping_to_select(grouping)
        self.num_groups = grouping.num_groups
        self.register_buffer("joints", select.node_index)
        self.register_buffer("groups", select.cluster_index)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        from torch_geometric.utils import scatter

        return scatter(x.index_select(2, self.joints), self.groups, dim=2, dim_size=self.num_groups, reduce="mean")


# The residual block of Traj-GCN and MSR-GCN, at inference.


def _residual_block() -> Layer:
    block = _trained_block()
    return Layer(
        shape=(NODES, CHANNELS),
        weights={name.replace(".", "_"): v for name, v in block.state_dict().items() if v.is_floating_point()},
        formula=_residual_formula,
        makers={"ResidualGraphBlock": _trained_block, "folded": lambda: fold(_trained_block()).float()},
        backward=False,
    )


def _trained_block() -> nn.Module:
    torch.manual_seed(0)
    block = ResidualGraphBlock(CHANNELS, NODES)
    for module in block.modules():
        if isinstance(module, nn.BatchNorm1d):
            nn.init.uniform_(module.running_mean, -0.5, 0.5)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_var, 0.5, 2)  # type: ignore[arg-type]
    return block.eval().requires_grad_(False)


def _residual_formula(x: torch.Tensor, weights: Tensors) -> torch.Tensor:
    y = x
    for layer in ("layers_0", "layers_1"):
        convolution, norm = f"{layer}_operator", f"{layer}_tail_0_norm"
        y = torch.einsum("ij,bjc,cd->bid", weights[f"{convolution}_adjacency"], y, weights[f"{convolution}_weight"])
        y = (y + weights[f"{convolution}_bias"]).flatten(1)
        y = (y - weights[f"{norm}_running_mean"]) / (weights[f"{norm}_running_var"] + 1e-5).sqrt()
        y = (y * weights[f"{norm}_weight"] + weights[f"{norm}_bias"]).view_as(x)
        y = nn.functional.leaky_relu(y, 0.2)
    return x + y


LAYERS: dict[str, Callable[[], Layer]] = {
    "GraphConv, complete graph": cache(lambda: _graph_conv(_complete_graph())),
    "GraphConv, skeleton graph": cache(lambda: _graph_conv(_skeleton_graph())),
    "NodeResample": cache(_node_resample),
    "JointPool": cache(_joint_pool),
    "ResidualGraphBlock": cache(_residual_block),
}
"""What is compared, by its name in the results."""
