"""Forecasts: the plain model against its optimised forms, over models, batch sizes, backends and precisions."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch

import posegraph
from benchmarks.harness import machine
from benchmarks.harness.case import TOLERANCE, Case, Comparison, Key, Variant, products_in, relative_error
from benchmarks.harness.timing import Run
from benchmarks.suites.subjects import Subject, random_poses, subject
from posegraph import registry
from posegraph.inference.backends import BACKENDS

SLOW_SETUP_S = 30.0
"""About what a backend takes to be ready that is not quick."""
OWN_MEMORY = frozenset({"onnx", "openvino"})
"""Backends whose runtimes allocate and compute outside PyTorch."""
HEADLINE = ("msrgcn-released", "graph-mixer", "traj-gcn", "msrgcn")
"""The models that most is measured of, the first most of all."""
BATCHES = {"cpu": (1, 16, 128), "cuda": (1, 4, 16, 64, 256, 1024, 4096)}
HEADLINE_BATCHES = {"cpu": (1, 128, 16, 4, 64), "cuda": (1, 128, 16, 4096, 4, 64, 256, 1024)}
PLAIN = ("plain", "fp32")
SLOW_BATCHES = {"cpu": (1, 128), "cuda": (1, 4096)}
_CHECKED_WINDOWS = 16  # of a batch, spread over it, that are computed in float64


def cases(device: str, models: Sequence[str] | None = None) -> Iterator[Case]:
    """Every registered model, or those that are named, at every batch size."""
    names = registry.names() if models is None else list(models)
    for name in names:
        headline = name in HEADLINE
        for order, batch in enumerate((HEADLINE_BATCHES if headline else BATCHES)[device]):
            yield _case(
                device,
                name,
                batch,
                [*plain(device), *backend_keys(device, quick=True)],
                rank=(0 if order < 4 else 2) + HEADLINE.index(name) if headline else 20 + order if order else 4,
                weight=(6.0 if order < 2 else 3.0) if headline else 1.0,
            )
    if HEADLINE[0] in names:
        slow = backend_keys(device, quick=False)
        for batch in SLOW_BATCHES[device]:
            for backend in dict.fromkeys(name for name, _ in slow):
                keys = [PLAIN, *(key for key in slow if key[0] == backend)]
                rank = (6 if batch == 1 else 12) if device == "cuda" else 100
                yield _case(device, HEADLINE[0], batch, keys, setting=backend, rank=rank, weight=6.0)


def _case(
    device: str, name: str, batch: int, keys: Sequence[Key], *, setting: str = "", rank: int, weight: float
) -> Case:
    return Case(
        kind="inference",
        device=device,
        subject=name,
        setting=setting,
        batch=batch,
        variants=keys,
        prepare=lambda: comparison(subject(name, device), batch, keys),
        rank=rank,
        weight=weight,
        min_calls=100 if device == "cuda" and name in HEADLINE and batch <= 64 else 3,
        patience=30.0 if setting else 3.0,
    )


def plain(device: str) -> list[Key]:
    """The plain model, in float32 and in what PyTorch itself can make it compute in."""
    return [(PLAIN[0], precision) for precision in TOLERANCE if device == "cuda" or precision != "tf32"]


def backend_keys(device: str, *, quick: bool) -> list[Key]:
    """Backends that can be used on a device here and are quickly ready, or are not, with their precisions."""
    absent = machine.missing_backends(device)
    return [
        (name, precision)
        for name, backend in BACKENDS.items()
        if name not in absent and backend.quick == quick
        for precision in backend.precisions_on(torch.device(device))
    ]


def comparison(about: Subject, batch: int, keys: Sequence[Key]) -> Comparison:
    """Ways to forecast a batch, the plain model first."""
    model = about.model
    inputs = random_poses(batch, model.observed_frames, model.num_joints)
    truth = _Truth(about, inputs)
    return Comparison(
        variants=[_variant(about, batch, *key) for key in keys],
        inputs=inputs,
        error=lambda _, run: truth.error(run),
        windows=batch,
        least_bytes=about.weight_bytes + about.pose_bytes(batch),
        from_host=True,
    )


def _variant(about: Subject, batch: int, name: str, precision: str) -> Variant:
    tolerance = TOLERANCE[precision]
    if name == PLAIN[0]:
        return Variant(name, precision, lambda: _plain(about, precision), tolerance, flop=batch * about.flop)
    return Variant(
        name,
        precision,
        lambda: _optimised(about, batch, name, precision),
        tolerance,
        flop=batch * about.flop_folded,
        setup_s=0.0 if BACKENDS[name].quick else SLOW_SETUP_S,
        own_memory=name in OWN_MEMORY,
    )


def _plain(about: Subject, precision: str) -> Run:
    def predict(poses: torch.Tensor) -> torch.Tensor:
        if about.device == "cpu":
            return about.model.predict(poses, *about.labels(len(poses)))
        placed = poses.to(about.device, non_blocking=True)
        return about.model.predict(placed, *about.labels(len(poses))).to(poses.device)

    def predict_in(poses: torch.Tensor) -> torch.Tensor:
        with products_in(precision), torch.autocast(about.device, torch.bfloat16, enabled=precision == "bf16"):
            return predict(poses)

    return predict if precision == "fp32" else predict_in  # nothing around what all others are compared with


def _optimised(about: Subject, batch: int, backend: str, precision: str) -> Run:
    fast = posegraph.optimize(about.model, batch_size=batch, backend=backend, precision=precision)  # type: ignore[arg-type]
    return fast.predict


class _Truth:
    """What some windows of two different inputs are forecast to, in float64."""

    def __init__(self, about: Subject, inputs: Sequence[torch.Tensor]) -> None:
        self.about, self.inputs = about, inputs[:2]
        batch = len(inputs[0])
        self.windows = torch.linspace(0, batch - 1, min(batch, _CHECKED_WINDOWS)).long()
        self._expected: list[torch.Tensor] = []

    def error(self, run: Run) -> float:
        """Largest error over both inputs: a run that gives the first result again is found out."""
        if not self._expected:
            self._expected = [self._exact(poses) for poses in self.inputs]
        forecasts = [run(poses.to(self.about.device)).cpu() for poses in self.inputs]
        if not all(bool(forecast.isfinite().all()) for forecast in forecasts):
            return float("inf")
        errors = map(relative_error, (forecast[self.windows].float() for forecast in forecasts), self._expected)
        return max(errors)

    def _exact(self, poses: torch.Tensor) -> torch.Tensor:
        chosen = poses[self.windows].double().to(self.about.device)
        return self.about.exact.predict(chosen, *self.about.labels(len(chosen))).cpu()
