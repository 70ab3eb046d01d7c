"""Forecasts: the plain model against its optimised forms, over models, batch sizes, backends and precisions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import torch

import posegraph
from benchmarks.backends import OWN_MEMORY, SLOW_SETUP_S, optimised, quick, slow
from benchmarks.case import Case
from benchmarks.compare import Comparison, Variant
from benchmarks.precision import TOLERANCE, products_in, relative_error
from benchmarks.subjects import Subject, random_poses, subject
from benchmarks.timing import Run
from posegraph import registry

HEADLINE = ("msrgcn-released", "traj-gcn", "msrgcn")
BATCHES = (1, 4, 16, 64, 256, 1024, 4096)
HEADLINE_BATCHES = (1, 128, 16, 4096, 4, 64, 256, 1024)
SLOW_BATCHES = {"cpu": (1, 128), "cuda": (1, 128, 4096)}
_CHECKED_WINDOWS = 16  # of a batch, spread over it, that are computed in float64


def cases(device: str, models: Sequence[str] | None = None) -> Iterator[Case]:
    """Every registered model, or those that are named, at every batch size."""
    names = registry.names() if models is None else list(models)
    for name in names:
        headline = name in HEADLINE
        for order, batch in enumerate(HEADLINE_BATCHES if headline else BATCHES):
            yield Case(
                kind="inference",
                device=device,
                subject=name,
                batch=batch,
                variants=(*plain(device), *optimised(device, quick)),
                prepare=lambda name=name, batch=batch: comparison(subject(name, device), batch, quick),
                rank=(0 if order < 4 else 2) + HEADLINE.index(name) if headline else 20 + order,
                weight=(6.0 if order < 2 else 3.0) if headline else 1.0,
                min_calls=100 if device == "cuda" and batch <= 64 else 3,
            )
    for batch in SLOW_BATCHES[device]:
        for chosen in sorted({name for name, _ in optimised(device, slow)}):
            if HEADLINE[0] in names:
                yield Case(
                    kind="inference",
                    device=device,
                    subject=HEADLINE[0],
                    setting=chosen,
                    batch=batch,
                    variants=(plain(device)[0], *optimised(device, slow, chosen)),
                    prepare=lambda batch=batch, chosen=chosen: comparison(
                        subject(HEADLINE[0], device), batch, slow, chosen, reference_only=True
                    ),
                    rank=6 if device == "cuda" else 100,
                    weight=6.0,
                )


def plain(device: str) -> list[tuple[str, str]]:
    """The plain model in float32, and as PyTorch itself makes it faster."""
    return [("plain", precision) for precision in TOLERANCE if device == "cuda" or precision != "tf32"]


def comparison(
    about: Subject,
    batch: int,
    kind: Callable[[str], bool],
    only: str | None = None,
    *,
    reference_only: bool = False,
    precisions: Sequence[str] = tuple(TOLERANCE),
) -> Comparison:
    """Plain and optimised forecasts of a batch."""
    model = about.model
    inputs = random_poses(batch, model.observed_frames, model.num_joints)
    plain_ones = [
        Variant(name, precision, lambda p=precision: _plain(about, p), TOLERANCE[precision], batch * about.flop)
        for name, precision in plain(about.device)[: 1 if reference_only else None]
    ]
    optimised_ones = [
        Variant(
            name,
            precision,
            lambda n=name, p=precision: _optimised(about, n, p, batch),
            TOLERANCE[precision],
            batch * about.flop_folded,
            setup_s=SLOW_SETUP_S if slow(name) else 0.0,
            own_memory=name in OWN_MEMORY,
        )
        for name, precision in optimised(about.device, kind, only)
    ]
    truth = _Truth(about, inputs)
    return Comparison(
        variants=[variant for variant in (*plain_ones, *optimised_ones) if variant.precision in precisions],
        inputs=inputs,
        error=lambda _, run: truth.error(run),
        windows=batch,
        least_bytes=about.weight_bytes + about.pose_bytes(batch),
        from_host=True,
    )


def _plain(about: Subject, precision: str) -> Run:
    def predict(poses: torch.Tensor) -> torch.Tensor:
        with products_in(precision), torch.autocast(about.device, torch.bfloat16, enabled=precision == "bf16"):
            return about.model.predict(poses, *about.labels(len(poses)))

    def predict_exactly(
        poses: torch.Tensor,
    ) -> torch.Tensor:
        # Nothing around it, not even what does nothing: others are compared with this.
        return about.model.predict(poses, *about.labels(len(poses)))

    return predict_exactly if precision == "fp32" else predict


def _optimised(about: Subject, backend: str, precision: str, batch: int) -> Run:
    return posegraph.optimize(about.model, batch_size=batch, backend=backend, precision=precision).predict  # type: ignore[arg-type]


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
        return max(
            relative_error(forecast[self.windows].float(), expected)
            if bool(forecast.isfinite().all())
            else float("inf")
            for forecast, expected in zip(forecasts, self._expected, strict=True)
        )

    def _exact(self, poses: torch.Tensor) -> torch.Tensor:
        chosen = poses[self.windows].double().to(self.about.device)
        return self.about.exact.predict(chosen, *self.about.labels(len(chosen))).cpu()
