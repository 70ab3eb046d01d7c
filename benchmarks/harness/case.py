"""What is compared: variants of the same work at one size, and the case that a run reaches when its turn comes."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any, Literal

import torch

from benchmarks.harness.timing import Run
from posegraph.inference.products import tf32_products

Kind = Literal["inference", "training", "layers", "scaling"]
KINDS: tuple[Kind, ...] = ("inference", "training", "layers", "scaling")
DEVICES = ("cpu", "cuda")
Row = dict[str, Any]
"""Figures of one variant, or why there are none; `benchmarks.harness.results` says which keys there are."""
Key = tuple[str, str]
"""Name and precision of a variant."""
ALL: Key = ("all", "all")
"""Variant and precision of a row that stands for all of a case."""
DTYPES = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16}
"""Types of the factors of products, by precision."""
TOLERANCE = {"fp32": 2e-6, "tf32": 5e-3, "bf16": 5e-2}
"""Largest error of a forecast, relative to its largest coordinate: beyond it something is wrong, not rounded. In fp32
that is twice what `posegraph.optimize` promises, since the plain model itself comes near to it in some runs."""


@dataclass(frozen=True)
class Variant:
    """One way to do the work."""

    name: str
    precision: str
    prepare: Callable[[], Run]
    """Makes it ready; raises an error of posegraph if it does not work here."""
    tolerance: float
    """Largest error with which it still gets a time."""
    flop: int = 0
    """Multiplications and additions of a call."""
    setup_s: float = 0.0
    """About how long `prepare` takes, if that is long."""
    copies: int = 1
    """How many times the work of the others a call does."""
    own_memory: bool = False
    """Whether it allocates memory, and calls operations, that PyTorch does not see."""

    @property
    def key(self) -> Key:
        return self.name, self.precision


@dataclass(frozen=True)
class Comparison:
    """Variants of the same work; ratios are those to the first."""

    variants: Sequence[Variant]
    inputs: Sequence[torch.Tensor]
    """In host memory; calls take turns with them."""
    error: Callable[[Variant, Run], float]
    """Error of a variant, prepared, relative to the truth."""
    windows: int
    """Windows of a call, that is, of one copy."""
    least_bytes: int = 0
    """Bytes that a call has to move at the least: each weight and input read once, each output written once."""
    from_host: bool = False
    """Whether calls take inputs in host memory as well as on the device, and leave the output where the input was: the
    host's clock then counts the copies to a GPU and back."""
    around: Callable[[], AbstractContextManager[Any]] = field(default=torch.inference_mode)
    """What a call runs in."""


@dataclass(frozen=True, eq=False)
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


def products_in(precision: str) -> AbstractContextManager[object]:
    """What makes products of float32 matrices on a GPU as precise as that, and no more."""
    return tf32_products(True) if precision == "tf32" else nullcontext()


def relative_error(actual: torch.Tensor, expected: torch.Tensor) -> float:
    """Largest difference over the largest expected value; infinite for other shapes and for what is no number."""
    if actual.shape != expected.shape:
        return float("inf")
    error = float((actual.double() - expected.double()).abs().max() / expected.double().abs().max())
    return float("inf") if math.isnan(error) else error
