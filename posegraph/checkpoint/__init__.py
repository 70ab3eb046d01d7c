"""Checkpoints: a folder with weights as safetensors and everything else as JSON. Nothing is ever unpickled.

A checkpoint folder holds ``model.safetensors``, all parameters and buffers, and ``config.json``: format version,
registry name, settings, skeleton, frames, digest of the weights, and what its maker recorded, such as training data,
protocol and result.
"""

from posegraph._support.checkpoint_files import FORMAT_VERSION, is_checkpoint
from posegraph.checkpoint.authors import from_authors
from posegraph.checkpoint.card import model_card
from posegraph.checkpoint.hub import push_to_hub, save_pretrained
from posegraph.checkpoint.release import MAX_BYTES, Release, measure_bundled, pack
from posegraph.checkpoint.store import load, read_config, rounded_state, save_checkpoint

__all__ = [
    "FORMAT_VERSION",
    "MAX_BYTES",
    "Release",
    "from_authors",
    "is_checkpoint",
    "load",
    "measure_bundled",
    "model_card",
    "pack",
    "push_to_hub",
    "read_config",
    "rounded_state",
    "save_checkpoint",
    "save_pretrained",
]
