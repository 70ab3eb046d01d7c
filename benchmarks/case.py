"""A case: one comparison at one size, which a run reaches when its turn comes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from benchmarks.compare import Comparison, Key

Kind = Literal["inference", "training", "layers", "scaling"]
KINDS: tuple[Kind, ...] = ("inference", "training", "layers", "scaling")
DEVICES = ("cpu", "cuda")
ALL: Key = ("all", "all")
"""Variant and precision of a row that stands for all of a case."""


@dataclass(frozen=True)
class Case:
    """What is compared, and what is known of it before anything is built."""

    kind: Kind
    device: str
    subject: str
    """Model or layer."""
    batch: int
    variants: Sequence[Key]
    """Names and precisions of what is compared."""
    prepare: Callable[[], Comparison]
    setting: str = ""
    """What else it depends on, as in "joints=50" or "forward"."""
    rank: int = 0
    """Cases of low rank come first, in case that time runs out."""
    weight: float = 1.0
    """Share of the time, relative to other cases."""
    patience: float = 3.0
    """How many times its share it may need, by estimate; compilers need long for a few short calls."""
    min_calls: int = 3

    @property
    def labels(self) -> dict[str, str | int]:
        """What its rows begin with."""
        return {
            "kind": self.kind,
            "device": self.device,
            "subject": self.subject,
            "setting": self.setting,
            "batch": self.batch,
        }

    def __str__(self) -> str:
        return " ".join(filter(None, [self.device, self.kind, self.subject, self.setting, f"batch={self.batch}"]))
