"""What the ``config.json`` of a checkpoint says of its model, as a card and the command line need it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from posegraph import data, registry
from posegraph.evaluation.result import Result
from posegraph.skeleton.skeleton import Skeleton

__all__ = ["Facts"]


class Facts:
    """What is known of trained weights.

    Whoever made the checkpoint wrote these texts: they are to be escaped where they are shown as more than text.

    Args:
        config: The contents of ``config.json``.

    Raises:
        UnknownNameError: The model is not registered.

    Examples:
        >>> from posegraph import checkpoint
        >>> from posegraph.checkpoint.facts import Facts
        >>> facts = Facts(checkpoint.read_config("graph-mixer/cmu"))
        >>> facts.name, facts.dataset, facts.licence
        ('graph-mixer/cmu', 'cmu', 'mit')
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        self.config = config
        """All that is recorded."""
        self.record: Mapping[str, Any] = config["record"]
        """What its maker recorded."""
        self.training = _notes(self.record, "training")
        """What the trainer recorded; empty if none did."""
        self.packed = _notes(self.record, "packed")
        """What `posegraph.checkpoint.pack` recorded; empty if it was not used."""
        self.spec = registry.info(config["model"])
        """The kind of model."""
        self.skeleton = Skeleton.from_dict(config["skeleton"])
        """The joints of its poses."""
        self.name: str = self.packed.get("reference", config["model"])
        """``MODEL/NAME`` if it was packed, else the model's name."""
        self.dataset: str | None = self.training.get("dataset")
        """Data set that it was trained on, if that is recorded."""
        self.benchmark = data.info(self.dataset) if self.dataset in data.names() else None
        """The data set, if the library knows it."""
        self.results = [Result.from_json(own["result"]) for own in self.packed.get("evaluation", ())]
        """Errors on test clips, the headline first."""
        self.baselines = [Result.from_json(own["zero_velocity"]) for own in self.packed.get("evaluation", ())]
        """Errors of zero velocity beside them."""
        self.unseen: Sequence[str] = self.packed.get("unseen", ())
        """Actions of the test clips that have no training clip."""

    @property
    def licence(self) -> str:
        """Licence of the weights, as the head of a model card names it."""
        return "other" if self.benchmark is None else self.benchmark.licence

    def seen(self, result: Result) -> list[str]:
        """Actions of a result that have training clips: those that averages are over."""
        return [action for action in result.actions if action not in self.unseen]

    def true_fps(self, label_fps: float) -> float | None:
        """Frames a second behind the labels of tables, where these are conventional."""
        benchmark = self.benchmark
        if benchmark is None or benchmark.native_fps == benchmark.assumed_fps:
            return None
        return label_fps * benchmark.native_fps / benchmark.assumed_fps


def _notes(record: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """A part of the record; notes are free in form, so it may be anything."""
    notes = record.get(key)
    return notes if isinstance(notes, Mapping) else {}
