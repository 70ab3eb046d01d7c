"""Checkpoints: a folder with weights as safetensors and everything else as JSON. Nothing is ever unpickled.

A checkpoint folder holds ``model.safetensors``, all parameters and buffers, and ``config.json``: format version,
registry name, settings, skeleton, frames, digest of the weights, and what its maker recorded, such as training data,
protocol and result.
"""

from posegraph._support.checkpoint_files import FORMAT_VERSION, is_checkpoint, read_config
from posegraph.checkpoint.authors import from_authors
from posegraph.checkpoint.card import model_card, published_beside
from posegraph.checkpoint.hub import from_pretrained, push_to_hub, save_pretrained
from posegraph.checkpoint.release import MAX_BYTES, measure_bundled, pack
from posegraph.checkpoint.store import Precision, load, rounded_state, save_checkpoint

__all__ = [
    "FORMAT_VERSION",
    "MAX_BYTES",
    "Precision",
    "from_authors",
    "from_pretrained",
    "is_checkpoint",
    "load",
    "measure_bundled",
    "model_card",
    "pack",
    "published_beside",
    "push_to_hub",
    "read_config",
    "rounded_state",
    "save_checkpoint",
    "save_pretrained",
]
