"""siMLPe: linear maps along time."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from einops import rearrange
from torch import nn

from posegraph._support.checks import check_positive
from posegraph._support.units import millimetres
from posegraph.errors import ConfigError
from posegraph.layers import DCT, InverseDCT, TemporalMLPBlock
from posegraph.layers.losses import joint_distance_loss, velocity_loss
from posegraph.layers.poses import from_nodes, to_nodes
from posegraph.models.authors.simlpe import convert_key
from posegraph.models.base import ForecastModel
from posegraph.recipe import Augmentation, Optimizer, Recipe, Sampling, Schedule
from posegraph.registry import register

__all__ = ["SiMLPe", "SiMLPeConfig"]

_FRAMES_PER_PASS = 10
_GAIN = 1e-8


@dataclass(frozen=True)
class SiMLPeConfig:
    """Settings of `SiMLPe`; the defaults are the authors' for Human3.6M."""

    num_blocks: int = 48
    """Blocks of a linear map along time and a layer norm."""
    frames_per_pass: int | None = None
    """Frames that one pass forecasts, at most those observed; more come from further passes over what is forecast
    already. None stands for the authors' 10, or for all observed frames if these are fewer."""

    def __post_init__(self) -> None:
        check_positive(num_blocks=self.num_blocks)
        if self.frames_per_pass is not None:
            check_positive(frames_per_pass=self.frames_per_pass)


@register(
    "simlpe",
    # 40,000 steps of the authors; the last quarter with a rate of 1e-5.
    recipe=Recipe(
        optimizer=Optimizer(learning_rate=3e-4, weight_decay=1e-4),
        schedule=Schedule(epochs=40, decay=1 / 30, decay_every=30, first_decay=31),
        sampling=Sampling(batch_size=256, steps_per_epoch=1000),
        augmentation=Augmentation(reverse=0.5),
    ),
    summary="siMLPe (WACV 2023): linear maps along time and layer norms on DCT coefficients, ten frames a pass.",
    observed_frames=50,
)
class SiMLPe(ForecastModel):
    r"""siMLPe, from "Back to MLP: A Simple Baseline for Human Motion Prediction" (Guo et al., WACV 2023).

    The DCT of the observed poses goes through a linear map of the coordinates, blocks of a linear map along time and
    a layer norm, and a linear map of the coordinates again; there is no other activation. The inverse DCT gives as
    many frames as were observed, the first of which, added to the last observed pose, are the forecast. Further
    frames come from further passes: the forecast joins the observed poses and the oldest ones drop out.

    Inside the model positions are in metres if the skeleton's are in mm, and so is the loss: with one of another
    scale the authors' weight decay would weigh differently. Parameters do not depend on ``future_frames``; the loss
    ends with the first pass, so ``future_frames=10`` trains the same network at less cost.

    Args:
        config: Settings; the authors' by default.
        skeleton: Name of a built-in skeleton, or any `Skeleton`.
        observed_frames: Number of observed poses; the authors use 50.
        future_frames: Number of poses to forecast.

    Shape:
        - Input: ``(batch, observed_frames, joints, 3)`` in mm
        - Output: a tuple of one tensor ``(batch, observed_frames + future_frames, joints, 3)`` in mm, whose observed
          frames are the input's

    Raises:
        ConfigError: A setting is not valid, such as more frames a pass than observed ones.
        ShapeError: The input has another shape.

    Examples:
        >>> import torch
        >>> from posegraph.models import SiMLPe, SiMLPeConfig
        >>> model = SiMLPe(SiMLPeConfig(num_blocks=4), observed_frames=50, future_frames=25).eval()
        >>> model.predict(torch.zeros(1, 50, 22, 3)).shape
        torch.Size([1, 25, 22, 3])
    """

    config: SiMLPeConfig
    default_config = SiMLPeConfig()
    default_observed_frames = 50

    def build(self) -> None:
        """Make the layers."""
        per_pass = self.config.frames_per_pass
        self.frames_per_pass = min(_FRAMES_PER_PASS, self.observed_frames) if per_pass is None else per_pass
        if self.frames_per_pass > self.observed_frames:
            raise ConfigError(
                f"frames_per_pass: expected at most {self.observed_frames}, the number of observed frames, got "
                f"{per_pass}. Forecast fewer frames a pass, or observe more."
            )
        self._units_per_metre = 1000.0 / millimetres(self.skeleton.unit) if self.skeleton.holds == "positions" else 1.0
        coordinates = 3 * self.num_joints
        self.dct = DCT(self.observed_frames)
        self.inverse_dct = InverseDCT(self.observed_frames)
        self.start = nn.Linear(coordinates, coordinates)
        self.blocks = nn.Sequential(
            *(TemporalMLPBlock(self.observed_frames, coordinates) for _ in range(self.config.num_blocks))
        )
        self.head = nn.Linear(coordinates, coordinates)
        nn.init.xavier_uniform_(self.head.weight, gain=_GAIN)
        nn.init.zeros_(self.head.bias)

    def forward(self, observed: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Forecast; shapes as in the class."""
        self.check_observed(observed)
        window = observed
        while window.shape[1] < self.total_frames:
            window = torch.cat([window, self._forecast_pass(window[:, -self.observed_frames :])], dim=1)
        return (window[:, : self.total_frames],)

    def _forecast_pass(self, observed: torch.Tensor) -> torch.Tensor:
        """The next ``frames_per_pass`` poses."""
        coefficients = rearrange(self.dct(to_nodes(observed / self._units_per_metre)), "b n k -> b k n")
        coefficients = rearrange(self.forward_coefficients(coefficients), "b k n -> b n k")
        moves = from_nodes(self.inverse_dct(coefficients))
        return observed[:, -1:] + self._units_per_metre * moves[:, : self.frames_per_pass]

    def forward_coefficients(self, coefficients: torch.Tensor) -> torch.Tensor:
        """The network itself, from and to DCT coefficients ``(batch, observed_frames, 3 * joints)`` in metres."""
        return self.head(self.blocks(self.start(coefficients)))

    def loss(self, outputs: tuple[torch.Tensor, ...], window: torch.Tensor) -> torch.Tensor:
        """Joint distance and velocity loss of the frames of the first pass, in metres.

        Args:
            outputs: What `forward` returned.
            window: Observed and future poses ``(batch, observed_frames + future_frames, joints, 3)``.

        Returns:
            Scalar.
        """
        end = self.observed_frames + min(self.frames_per_pass, self.future_frames)
        prediction, truth = (
            poses[:, self.observed_frames : end] / self._units_per_metre for poses in (outputs[0], window)
        )
        loss = joint_distance_loss(prediction, truth)
        return loss if prediction.shape[1] == 1 else loss + velocity_loss(prediction, truth)

    @classmethod
    def convert_authors_state(cls, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Rename the authors' parameters; raises `CheckpointError` if the keys are not theirs."""
        converted: dict[str, torch.Tensor] = {}
        for key, value in state.items():
            # theirs spans the axes of a batch
            converted[convert_key(key)] = value.flatten() if key.endswith((".alpha", ".beta")) else value
        return converted
