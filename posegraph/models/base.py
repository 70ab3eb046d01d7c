"""What every forecasting model has in common."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from typing import Any, ClassVar, Self

import torch
from torch import nn

from posegraph._support.checks import check_poses, check_positive
from posegraph.errors import CheckpointError, ConfigError, UnknownNameError
from posegraph.folding.forecast import Folded, ModelForecast
from posegraph.layers.losses import multi_scale_loss
from posegraph.skeleton import presets
from posegraph.skeleton.grouping import JointGrouping
from posegraph.skeleton.skeleton import Skeleton

__all__ = ["ForecastModel"]


class ForecastModel(nn.Module):
    """Base class of all models: observed poses in, observed and future poses out.

    A subclass sets `default_config`, makes its layers in `build`, implements `forward`, and sets `groupings` if it also
    forecasts coarser poses.
    Poses are those of the skeleton's used joints, in mm; padding, transforms and normalisation belong inside the
    model. See the tutorial "A model of your own".

    Args:
        config: The model's settings; ``default_config`` if None.
        skeleton: Name of a built-in skeleton, or any `Skeleton`.
        observed_frames: Number of observed poses; ``default_observed_frames`` if None, which is 10 for most models.
        future_frames: Number of poses to forecast.

    Raises:
        ConfigError: A number of frames is not positive.
        UnknownNameError: There is no built-in skeleton of this name.

    Examples:
        >>> import torch
        >>> from posegraph.models import ZeroVelocity
        >>> model = ZeroVelocity(skeleton="cmu", future_frames=5)
        >>> model.predict(torch.zeros(1, 10, 25, 3)).shape
        torch.Size([1, 5, 25, 3])
    """

    default_config: ClassVar[Any] = None
    """Settings used when none are given: an instance of the model's frozen dataclass."""

    default_observed_frames: ClassVar[int] = 10
    """Number of observed poses when none is given."""

    takes_labels: ClassVar[bool] = False
    """Whether models of the class can take action labels; the setting ``actions`` then lists them."""

    actions: tuple[str, ...] = ()
    """Actions whose label the model takes besides the poses; none for most. A model with labels has ``action``, their
    numbers ``(batch,)`` int64 in this list, as second argument of `forward` and `predict`; see `action_labels`."""

    def __init__(
        self,
        config: Any = None,
        *,
        skeleton: str | Skeleton = "h36m",
        observed_frames: int | None = None,
        future_frames: int = 25,
    ) -> None:
        super().__init__()
        observed_frames = self.default_observed_frames if observed_frames is None else observed_frames
        check_positive(observed_frames=observed_frames, future_frames=future_frames)
        self.config = self.default_config if config is None else config
        self.skeleton = presets.get(skeleton)
        self.observed_frames = observed_frames
        self.future_frames = future_frames
        self.groupings = ()
        self.registry_name: str | None = None
        self.record: dict[str, Any] = {}
        self.build()

    def build(self) -> None:
        """Make the layers, from ``self.config``, ``self.skeleton`` and the numbers of frames; by default none.

        The constructor calls this once, last. A subclass needs no constructor of its own.

        Raises:
            ConfigError: Settings, skeleton and frames do not go together.
        """

    @property
    def groupings(self) -> tuple[JointGrouping, ...]:
        """From each scale that the model forecasts to the next coarser one; empty for a single scale."""
        return self._groupings

    @groupings.setter
    def groupings(self, groupings: Iterable[JointGrouping]) -> None:
        self._groupings = tuple(groupings)
        for level, grouping in enumerate(self._groupings):  # made once, and on the model's device
            self.register_buffer(f"_pool_{level}", grouping.pool_matrix(), persistent=False)

    @property
    def total_frames(self) -> int:
        """Observed and future frames together."""
        return self.observed_frames + self.future_frames

    @property
    def num_joints(self) -> int:
        """Number of joints that the model sees."""
        return self.skeleton.num_used

    @property
    def is_trainable(self) -> bool:
        """Whether the model has parameters to train."""
        return any(parameter.requires_grad for parameter in self.parameters())

    @property
    def trained_fps(self) -> float | None:
        """Frames a second of the poses that the model was trained on; of its skeleton if the record does not say it."""
        seen = self.record.get("poses")
        return seen.get("fps", self.skeleton.fps) if isinstance(seen, Mapping) else self.skeleton.fps

    @property
    def device(self) -> torch.device:
        """Where the model's tensors are; the CPU if it has none."""
        return self._example().device

    @property
    def dtype(self) -> torch.dtype:
        """Number type of the model's tensors; float32 if it has none."""
        return self._example().dtype

    def _example(self) -> torch.Tensor:
        tensors = itertools.chain(self.parameters(), self.buffers())  # walked no further than to the first that will do
        return next((tensor for tensor in tensors if tensor.is_floating_point()), torch.empty(0))

    def forward(self, observed: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Reconstruct the observed poses and forecast the future ones, at every scale or stage.

        Args:
            observed: Poses ``(batch, observed_frames, joints, 3)`` in mm.

        Returns:
            One tensor ``(batch, observed_frames + future_frames, joints of the scale, 3)`` a scale, finest first. A
            model of several stages at one scale returns one a stage, the last, which is the forecast, first.

        Raises:
            ShapeError: ``observed`` has another shape.
        """
        raise NotImplementedError(f"{type(self).__name__} must implement forward(observed).")

    def predict(self, observed: torch.Tensor) -> torch.Tensor:
        """Forecast the future poses.

        Call ``model.eval()`` first, and use ``torch.inference_mode()`` where no gradient is needed.

        Args:
            observed: Poses ``(batch, observed_frames, joints, 3)`` in mm.

        Returns:
            Poses ``(batch, future_frames, joints, 3)`` in mm.

        Raises:
            ShapeError: ``observed`` has another shape.
        """
        return self(observed)[0][:, self.observed_frames :]

    def action_labels(self, actions: Sequence[str]) -> torch.Tensor:
        """Numbers of actions in ``self.actions``.

        Args:
            actions: Names of actions.

        Returns:
            Labels ``(len(actions),)`` int64 on the model's device.

        Raises:
            UnknownNameError: The model does not know an action.
        """
        for action in actions:
            if action not in self.actions:
                raise UnknownNameError("action label of the model", action, self.actions)
        return torch.tensor([self.actions.index(action) for action in actions], device=self.device)

    def coarser(self, poses: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """The poses at every scale of the model, each the mean of its groups in the scale before.

        Args:
            poses: Poses ``(batch, frames, joints, 3)``.

        Returns:
            Poses a scale, finest first, beginning with ``poses``.
        """
        scales = [poses]
        for level in range(len(self.groupings)):
            matrix = self.get_buffer(f"_pool_{level}").to(poses)  # a copy only for another type or device
            scales.append(torch.matmul(matrix, scales[-1]))
        return tuple(scales)

    def targets(self, window: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """What each output of `forward` is trained towards: the true poses at its scale.

        Args:
            window: Observed and future poses ``(batch, observed_frames + future_frames, joints, 3)``.

        Returns:
            One tensor an output, of the output's shape.
        """
        return self.coarser(window)

    def loss(self, outputs: tuple[torch.Tensor, ...], window: torch.Tensor) -> torch.Tensor:
        """The training loss; by default the joint distance at each scale, summed.

        Args:
            outputs: What `forward` returned.
            window: Observed and future poses ``(batch, observed_frames + future_frames, joints, 3)``.

        Returns:
            Scalar.
        """
        return multi_scale_loss(outputs, self.targets(window))

    def finest_only(self) -> ForecastModel:
        """The same forecasts without what only training needs, such as the heads of coarser poses; by default itself.

        Returns:
            A model whose `predict` is that of this one, and whose `forward` may return fewer scales.
        """
        return self

    def folded(self) -> Folded:
        """The form that fast backends run: `fold` where this class states one, else the model's own `predict`.

        A form that a parent class states does not count, because a subclass may compute something else; set
        ``fold = Parent.fold`` in the subclass if it does not. The form is a copy: later changes of the model have no
        effect. It computes as in evaluation mode.

        Returns:
            A module of ``(batch, observed_frames, joints, 3)`` to ``(batch, future_frames, joints, 3)``: in float64 on
            the CPU if it comes from `fold`, else in the model's type and on its device.

        Raises:
            ConfigError: The model takes action labels, which backends do not pass on.

        Examples:
            >>> import torch
            >>> from posegraph import registry
            >>> model = registry.build("traj-gcn", channels=8, num_blocks=1).eval().double()
            >>> observed = torch.randn(2, 10, 22, 3).double()
            >>> bool((model.folded()(observed) - model.predict(observed)).abs().max() < 1e-12)
            True
        """
        if self.actions:
            raise ConfigError(
                f"folded: expected a model of poses alone, got {type(self).__name__} with labels of "
                f"{len(self.actions)} actions. Forecast with model.predict(observed, action)."
            )
        if "fold" in vars(type(self)):
            with suppress(ConfigError):  # a layer that no rule covers
                return self.fold()
        model = copy.deepcopy(self).eval()
        return ModelForecast(model, (self.observed_frames, self.num_joints, 3))

    def fold(self) -> Folded:
        """The cheaper form of this model that computes the same, for classes that have one; called by `folded`.

        Raises:
            ConfigError: The class has none, or a layer of the model has no rule.
        """
        raise ConfigError(f"fold: {type(self).__name__} has no cheaper form. model.folded() gives one for any model.")

    def _with_config(self, config: Any) -> Self:
        """This model with other settings that need a part of its weights and no others."""
        model = type(self)(
            config,
            skeleton=self.skeleton,
            observed_frames=self.observed_frames,
            future_frames=self.future_frames,
        )
        weights = self.state_dict()
        model.load_state_dict({name: weights[name] for name in model.state_dict()})
        model.registry_name, model.record = self.registry_name, self.record
        return model.to(device=self.device, dtype=self.dtype).train(self.training)

    def fit_statistics(self, windows: Iterable[torch.Tensor]) -> None:
        """Take from the training windows what the model needs, such as a normalisation range; by default nothing.

        The trainer calls this once, before the first step.

        Args:
            windows: Batches ``(batch, observed_frames + future_frames, joints, 3)`` that cover the training set once.
        """

    @classmethod
    def convert_authors_state(cls, state: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Rename and reorder the parameters of the authors' published weights to this class's.

        Args:
            state: The authors' state dict.

        Returns:
            A state dict of this class, without buffers that the authors did not store.

        Raises:
            CheckpointError: The model has no published weights that can be read, or these are not they.
        """
        raise CheckpointError(f"{cls.__name__} cannot read weights published by its authors.")

    def check_skeleton(self, skeleton: Skeleton, owner: str) -> None:
        """Require that poses of ``skeleton``, as ``owner`` has them, are those that the model was built for.

        Args:
            skeleton: Skeleton of the poses.
            owner: What the poses belong to, for the message, as in "data set 'cmu'".

        Raises:
            ConfigError: The skeletons differ.
        """
        if not self.skeleton.matches(skeleton):
            wanted, got = (f"{s.name!r} ({s.num_joints} joints, {s.num_used} used)" for s in (skeleton, self.skeleton))
            raise ConfigError(
                f"skeleton: expected a model of {wanted} as in {owner}, got one of {got}. "
                f"Build the model for the skeleton of {owner}."
            )

    def check_observed(self, observed: torch.Tensor) -> None:
        """Require observed poses of the model's shape; raises `ShapeError`."""
        check_poses(
            "observed poses",
            observed,
            frames=self.observed_frames,
            joints=self.num_joints,
            remedy=f"Select the used joints of skeleton {self.skeleton.name!r} with skeleton.reduce(poses), or build "
            "the model for this skeleton and number of frames.",
        )
