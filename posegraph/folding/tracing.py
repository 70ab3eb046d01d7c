"""Graphs of networks, traced once each.

While a network is traced, PyTorch calls modules in another way, in all threads of the process. So a network that other
threads may be using meanwhile is not traced a second time, such as for another size of batch.
"""

from __future__ import annotations

import threading
from weakref import WeakKeyDictionary

from torch import nn
from torch.fx import Graph, GraphModule, Tracer

from posegraph.folding.layers import FoldedLayer

__all__ = ["layer_graph", "operation_graph"]

_ONE_TRACE = threading.Lock()  # at a time in a process
_LAYERS: WeakKeyDictionary[nn.Module, Graph] = WeakKeyDictionary()
_OPERATIONS: WeakKeyDictionary[nn.Module, GraphModule] = WeakKeyDictionary()


class _LayerTracer(Tracer):
    """Sees a folded layer as one call."""

    def is_leaf_module(self, m: nn.Module, module_qualified_name: str) -> bool:
        return isinstance(m, FoldedLayer)


def layer_graph(network: nn.Module) -> Graph:
    """The calls of folded layers in a network, and the operations around them."""
    with _ONE_TRACE:
        if network not in _LAYERS:
            _LAYERS[network] = _LayerTracer().trace(network)
        return _LAYERS[network]


def operation_graph(network: nn.Module) -> GraphModule:
    """The operations of a network, as a module with code of its own at each call; it shares the weights.

    Examples:
        >>> from torch import nn
        >>> from posegraph.folding.tracing import operation_graph
        >>> [node.op for node in operation_graph(nn.Sequential(nn.Tanh())).graph.nodes]
        ['placeholder', 'call_module', 'output']
    """
    with _ONE_TRACE:
        if network not in _OPERATIONS:
            tracer = Tracer()
            graph = tracer.trace(network)
            _OPERATIONS[network] = GraphModule(tracer.root, graph)
        kept = _OPERATIONS[network]
    return GraphModule(kept, kept.graph)
