"""What weights have to fulfil to come with the library."""

from __future__ import annotations

import re
from pathlib import Path

import torch

from posegraph import checkpoint
from posegraph.checkpoint import release
from posegraph.checkpoint.card import model_card
from posegraph.evaluation.result import Result

TOLERANCE_MM = 0.01  # what other processors and versions of PyTorch may differ by
HEADINGS = ("Use", "Data", "Training", "Results", "Seeds", "Intended use", "Limits", "Licence")
SENTENCES = (
    "CMU Graphics Lab Motion Capture Database",
    "mocap.cs.cmu.edu",
    "NSF EIA-0196217",
    "Training clips",
    "Selection of the epoch",
    "Protocol: cmu test, windows: all, 10 -> 25 frames, mpjpe_at, full joints",
    "zero velocity",
    "evaluated here",
    "PGBIG repository",
    "poses are 60 frames a second",
    'their "1000 ms" is 417 ms',
    "Not for decisions",
)


def check_shipped(folder: Path) -> None:
    """Require that a folder of weights is complete, small enough, described, and forecasts as well as it says."""
    config = checkpoint.read_config(folder)
    packed = config["record"]["packed"]
    card = (folder / "README.md").read_text(encoding="utf-8")
    reference, size = "/".join(folder.parts[-2:]), (folder / "model.safetensors").stat().st_size
    names = {packed["reference"], f"{config['model']}/{folder.name}", reference}
    assert names == {reference}, f"several names: {names}"
    files = sorted(path.name for path in folder.iterdir())
    assert files == ["README.md", "config.json", "model.safetensors"], f"other files: {files}"
    assert size <= release.MAX_BYTES, f"{size} bytes are too many"
    assert card == model_card(folder), "the card is not that of config.json: make it again with model_card"
    headings = re.findall(r"^## (.*)$", card, flags=re.MULTILINE)
    assert headings == list(HEADINGS), f"other sections: {headings}"
    missing = [sentence for sentence in SENTENCES if sentence not in card]
    assert not missing, f"the card does not say: {missing}"
    assert packed["commands"], "the command that made the weights is unknown"
    assert all(command in card for command in packed["commands"])
    everything = (folder / "config.json").read_text(encoding="utf-8") + card
    assert not re.search(r"(?<![\w.:/])/(home|root|tmp|work|Users|mnt)/", everything), "a path of one machine"
    for action in Result.from_json(packed["evaluation"][0]["result"]).actions:
        assert re.search(rf"^\| {action} \|", card, flags=re.MULTILINE), f"the card has no row of {action}"

    model = checkpoint.load(folder)
    assert {parameter.dtype for parameter in model.parameters()} == {torch.float32}
    stored, measured = Result.from_json(packed["bundled"]["result"]), release.measure_bundled(model)
    assert measured.protocol == stored.protocol
    for action, own in stored.actions.items():
        differences = [abs(a - b) for a, b in zip(own.errors, measured.actions[action].errors, strict=True)]
        assert max(differences) <= TOLERANCE_MM, f"{action}: {max(differences):.4f} mm from the stored numbers"
