"""Residual sup.: a recurrent network that forecasts velocities."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from einops import rearrange
from torch import nn
from torch.nn.functional import one_hot

from posegraph._support.checks import check_positive
from posegraph.errors import ConfigError, ShapeError
from posegraph.layers import ResetBeforeGRUCell
from posegraph.layers.normalizers import ZScoreNormalizer
from posegraph.models.base import ForecastModel
from posegraph.recipe import Optimizer, Recipe, Sampling, Schedule
from posegraph.registry import register

__all__ = ["ResidualSup", "ResidualSupConfig"]

# 100,000 steps, with a decay after every 10,000.
_RECIPE = Recipe(
    optimizer=Optimizer(kind="sgd", learning_rate=0.005, clip_norm=5.0),
    schedule=Schedule(epochs=100, decay=0.95, decay_every=10, first_decay=11),
    sampling=Sampling(kind="clips", batch_size=16, steps_per_epoch=1000),
)
_HEAD_BOUND = 0.04


@dataclass(frozen=True)
class ResidualSupConfig:
    """Settings of `ResidualSup`; the defaults are the authors', without labels."""

    channels: int = 1024
    """Channels of the recurrent state."""
    tied: bool = True
    """One GRU for both the observed and the forecast poses; otherwise one each, with the same output layer."""
    residual: bool = True
    """Add the previous pose to the output, which then is a velocity."""
    actions: tuple[str, ...] = ()
    """Names of the actions whose label the network gets with each pose; none for a network without labels."""

    def __post_init__(self) -> None:
        check_positive(channels=self.channels)
        object.__setattr__(self, "actions", _different_names(self.actions))


def _different_names(actions: object) -> tuple[str, ...]:
    names = tuple(str(name) for name in actions) if isinstance(actions, (list, tuple)) else None
    if names is None or len(set(names)) < len(names):
        raise ConfigError(f"actions: expected a list of different names, such as ['walking'], got {actions!r}.")
    return names


@register(
    "residual-sup-untied",
    config=ResidualSupConfig(tied=False),
    recipe=_RECIPE,
    summary="Residual sup. with separate recurrent weights for observed and forecast poses.",
)
@register(
    "residual-sup",
    recipe=_RECIPE,
    summary="Residual sup. (CVPR 2017): a GRU that forecasts velocities and is fed its own forecasts.",
)
class ResidualSup(ForecastModel):
    r"""Residual sup., from "On Human Motion Prediction Using Recurrent Neural Networks" (Martinez et al., CVPR 2017).

    A GRU reads the normalised observed poses but the last. Then it reads the last one and, from there on, its own
    forecasts, in training too: its state $h$ gives the next pose $\hat{x} = x + h W + b$. Coordinates have mean 0 and
    standard deviation 1 over the training set; the loss is the mean squared error of the future frames in this space.

    With ``actions`` in the settings, each pose comes with its one-hot action label, and the network carries the label
    on as if it were part of the pose. In training `forward` then returns a second tensor,
    ``(batch, future_frames, labels)``: how far the carried labels are from the true ones. It counts in the loss like
    the coordinates.

    Args:
        config: Settings; the authors' by default, without labels.
        skeleton: Name of a built-in skeleton, or any `Skeleton`.
        observed_frames: Number of observed poses, at least two.
        future_frames: Number of poses to forecast.

    Shape:
        - Input: ``(batch, observed_frames, joints, 3)`` in mm, and with labels the action ``(batch,)``, an index into
          the settings' ``actions``
        - Output: a tuple of one tensor ``(batch, observed_frames + future_frames, joints, 3)`` in mm; the observed
          poses are the input's

    Raises:
        ConfigError: A setting is not valid, there are too few observed frames, an action is missing or does not exist.
        ShapeError: The input has another shape.

    Examples:
        >>> import torch
        >>> from posegraph.models import ResidualSup, ResidualSupConfig
        >>> model = ResidualSup(ResidualSupConfig(channels=32, actions=("walking", "running"))).eval()
        >>> model.predict(torch.zeros(1, 10, 22, 3), action=model.action_labels(["running"])).shape
        torch.Size([1, 25, 22, 3])
    """

    takes_labels = True
    config: ResidualSupConfig
    default_config = ResidualSupConfig()
    moving: torch.Tensor

    def build(self) -> None:
        """Make the layers."""
        if self.observed_frames < 2:
            raise ConfigError(
                "observed_frames: expected at least 2, one to encode and one to start from, got "
                f"{self.observed_frames}."
            )
        config = self.config
        self.actions = config.actions
        coordinates = self.skeleton.moving
        width = len(coordinates) + len(self.actions)
        self.register_buffer("moving", torch.tensor(coordinates), persistent=False)
        self.normalizer = ZScoreNormalizer(self.num_joints)
        self.encoder = ResetBeforeGRUCell(width, config.channels)
        self.decoder = None if config.tied else ResetBeforeGRUCell(width, config.channels)
        self.head = nn.Linear(config.channels, width)
        for parameter in self.head.parameters():
            nn.init.uniform_(parameter, -_HEAD_BOUND, _HEAD_BOUND)

    def forward(self, observed: torch.Tensor, action: torch.Tensor | None = None) -> tuple[torch.Tensor, ...]:
        """Forecast; shapes as in the class."""
        self.check_observed(observed)
        normalized = rearrange(self.normalizer.encode(observed), "b t j c -> b t (j c)")
        labels = self._one_hot(action, observed.shape[0]).to(normalized)
        frames = torch.cat([normalized[..., self.moving], labels.expand(-1, self.observed_frames, -1)], dim=-1)
        coordinates, carried = self.forward_vectors(frames).split([len(self.moving), len(self.actions)], dim=-1)
        future = normalized[:, -1:].expand(-1, self.future_frames, -1)
        future = future.index_copy(-1, self.moving, coordinates.to(future))
        poses = torch.cat([observed, self.normalizer.decode(rearrange(future, "b t (j c) -> b t j c", c=3))], dim=1)
        return (poses, carried - labels) if self._returns_label_errors else (poses,)

    def forward_vectors(self, frames: torch.Tensor) -> torch.Tensor:
        """The network itself: from observed vectors of normalised coordinates and labels to future ones.

        Args:
            frames: Vectors ``(batch, observed_frames, moving coordinates + labels)``.

        Returns:
            Vectors ``(batch, future_frames, moving coordinates + labels)``.
        """
        decoder = self.encoder if self.decoder is None else self.decoder
        *past, frame = frames.unbind(1)
        state = None
        for earlier in past:
            state = self.encoder(earlier, state)
        future: list[torch.Tensor] = []
        for _ in range(self.future_frames):
            state = decoder(frame, state)
            frame = self.head(state) + frame if self.config.residual else self.head(state)
            future.append(frame)
        return torch.stack(future, dim=1)

    def predict(self, observed: torch.Tensor, action: torch.Tensor | None = None) -> torch.Tensor:
        """Forecast the future poses.

        Args:
            observed: Poses ``(batch, observed_frames, joints, 3)`` in mm.
            action: Action of each sample ``(batch,)``, as `action_labels` gives it; None for a model without labels.

        Returns:
            Poses ``(batch, future_frames, joints, 3)`` in mm.

        Raises:
            ConfigError: An action is missing, or does not exist.
            ShapeError: The input has another shape.
        """
        return self(observed, action)[0][:, self.observed_frames :]

    def targets(self, window: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The window itself, and zeros for the label errors that `forward` returns in training with labels."""
        if not self._returns_label_errors:
            return (window,)
        return window, window.new_zeros(window.shape[0], self.future_frames, len(self.actions))

    def loss(self, outputs: tuple[torch.Tensor, ...], window: torch.Tensor) -> torch.Tensor:
        """Mean squared error of the normalised coordinates, and of the labels if there are, over the future frames."""
        poses, *label_errors = outputs
        errors = ((poses - window) / self.normalizer.std)[:, self.observed_frames :]
        return torch.cat([errors.flatten(2)[..., self.moving], *label_errors], dim=-1).square().mean()

    def fit_statistics(self, windows: Iterable[torch.Tensor]) -> None:
        """Set mean and standard deviation of each coordinate to those of the training windows."""
        self.normalizer.fit(windows)

    @property
    def _returns_label_errors(self) -> bool:
        return self.training and bool(self.actions)

    def _one_hot(self, action: object, batch: int) -> torch.Tensor:
        """Labels ``(batch, 1, number of actions)``."""
        if not self.actions:
            if action is not None:
                raise ConfigError(
                    "action: expected none, because the model was built without labels. Leave it out, or build the "
                    "model with actions=(...) and train it."
                )
            return torch.empty(batch, 1, 0)
        if action is None:
            raise ConfigError(
                f"action: expected an index a sample into {', '.join(self.actions)}; got none. The forecasts of this "
                "model depend on it: pass action=model.action_labels(names), or train a model without actions."
            )
        if not isinstance(action, torch.Tensor) or action.dtype not in _INTEGERS or action.shape != (batch,):
            got = f"{tuple(action.shape)} {action.dtype}" if isinstance(action, torch.Tensor) else type(action).__name__
            raise ShapeError("action", f"a tensor of {batch} integers", got, "Give one action index a sample.")
        if batch and not 0 <= int(action.min()) <= int(action.max()) < len(self.actions):
            raise ConfigError(
                f"action: expected indices in 0..{len(self.actions) - 1} into {', '.join(self.actions)}; got "
                f"{int(action.min())}..{int(action.max())}. model.action_labels(names) gives them."
            )
        return one_hot(action.long(), len(self.actions)).unsqueeze(1)


_INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
