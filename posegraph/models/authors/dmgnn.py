"""Parameters of the authors' DMGNN."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch

from posegraph.errors import CheckpointError

__all__ = ["convert_key", "convert_state"]

_AUTHORS_ENCODERS = {"encoder_pos": 0, "encoder_vel": 1, "encoder_acl": 2}
_AUTHORS_LEVELS = 4
_AUTHORS_GATES = {"input": ("input_gates", "rin"), "hidden": ("state_gates", "rih")}
_AUTHORS_GRAPHS = {"emul": "factor", "eadd": "offset", "A_j": "fixed"}
_AUTHORS_PARTS = {
    "gcn.conv": "spatial",
    "tcn": "temporal",
    "residual": "residual",
    "time_conv": "temporal",
    "mlp1.fc1": "node.hidden",
    "mlp1.fc2": "node.output",
    "mlp1.bn": "node.norm",
    "mlp2.fc1": "messages.pair.hidden",
    "mlp2.fc2": "messages.pair.output",
    "mlp2.bn": "messages.pair.norm",
    "mlp3.fc1": "output.hidden",
    "mlp3.fc2": "output.output",
    "mlp3.bn": "output.norm",
}


def convert_state(state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Rename and join the authors' parameters.

    Raises:
        CheckpointError: A key is not theirs, or a parameter is missing.
    """
    converted: dict[str, torch.Tensor] = {}
    gates: dict[str, dict[str, torch.Tensor]] = {}
    for key, value in state.items():
        gate = re.fullmatch(r"decoder\.(input|hidden)_([rinh])\.(weight|bias)", key)
        if gate is not None:
            gates.setdefault(f"{gate[1]}.{gate[3]}", {})[gate[2]] = value
            continue
        # the authors' convolution over joints of kernel 1 is a linear layer here
        value = value.squeeze(-1) if key == "decoder.msg_in.conv.weight" else value
        converted |= dict.fromkeys(convert_key(key), value)
    for name, by_gate in gates.items():
        kind, leaf = name.split(".")
        own, order = _AUTHORS_GATES[kind]
        missing = [gate for gate in order if gate not in by_gate]
        if missing:
            raise CheckpointError(
                f"parameter 'decoder.{kind}_{missing[0]}.{leaf}' is missing beside those of the other gates. "
                "Is the file complete?"
            )
        converted[f"cell.{own}.{leaf}"] = torch.cat([by_gate[gate] for gate in order])
    return converted


def convert_key(key: str) -> list[str]:
    """Our names of a parameter: encoder_pos.s2_l1.tcn.0.bias is encoders.0.levels.0.layers.1.temporal.0.bias."""
    module, _, rest = key.partition(".")
    if module in _AUTHORS_ENCODERS:
        names = [f"encoders.{_AUTHORS_ENCODERS[module]}.{name}" for name in _convert_encoder_key(rest)]
    elif module == "decoder":
        names = _convert_decoder_key(rest)
    else:
        names = [f"join.{rest}"] if key in ("linear.weight", "linear.bias") else []
    if not names:
        raise CheckpointError(
            f"parameter {key!r}: expected the authors' names, such as encoder_pos.s1_l1.gcn.conv.weight. "
            "Is this a DMGNN checkpoint?"
        )
    return names


def _convert_encoder_key(key: str) -> list[str]:
    if graph := re.fullmatch(r"A_([jpb])", key):
        scale = "jpb".index(graph[1])
        levels = range(_AUTHORS_LEVELS + (scale == 0))
        return [f"{_layer(level, scale)}.graph.fixed" for level in levels]
    if weights := re.fullmatch(r"(emul|eadd)_s([123])\.(\d)", key):
        return [f"{_layer(int(weights[3]), int(weights[2]) - 1)}.graph.{_AUTHORS_GRAPHS[weights[1]]}"]
    if layer := re.fullmatch(r"s([123])_l(\d)\.(gcn\.conv|tcn|residual)\.(.+)", key):
        return [f"{_layer(int(layer[2]) - 1, int(layer[1]) - 1)}.{_AUTHORS_PARTS[layer[3]]}.{layer[4]}"]
    if embedding := re.fullmatch(
        r"(j2p|p2j|p2b|b2p)_([12])\.embed_s([123])\.(time_conv|mlp[123]\.(?:fc1|fc2|bn))\.(.+)", key
    ):
        ends = ["jpb".index(scale) for scale in embedding[1].split("2")]
        direction = "to_coarser" if ends[0] < ends[1] else "to_finer"
        role = "source" if int(embedding[3]) - 1 == ends[0] else "target"
        attention = f"levels.{int(embedding[2]) - 1}.fusion.{direction}.{min(ends)}.{role}"
        return [f"{attention}.{_AUTHORS_PARTS[embedding[4]]}.{embedding[5]}"]
    return []


def _layer(level: int, scale: int) -> str:
    return "last" if level == _AUTHORS_LEVELS else f"levels.{level}.layers.{scale}"


def _convert_decoder_key(key: str) -> list[str]:
    if key in _AUTHORS_GRAPHS:
        return [f"cell.graph.{_AUTHORS_GRAPHS[key]}"]
    if message := re.fullmatch(r"msg_in\.conv\.(weight|bias)", key):
        return [f"cell.send.{message[1]}"]
    if output := re.fullmatch(r"out_fc([123])\.(weight|bias)", key):
        return [f"head.{3 * int(output[1]) - 3}.{output[2]}"]
    return []
