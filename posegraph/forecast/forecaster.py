"""Forecasts of full poses: what an application calls once it has a model."""

from __future__ import annotations

from pathlib import Path
from typing import Any, overload

import numpy as np
import torch

from posegraph._support.checks import check_poses
from posegraph.checkpoint import hub
from posegraph.errors import ConfigError, DataError, ShapeError
from posegraph.inference import optimize
from posegraph.models.base import ForecastModel
from posegraph.skeleton.skeleton import Skeleton

__all__ = ["Forecaster"]


class Forecaster:
    """Forecasts full poses with a model that works on the used joints.

    A call takes the last ``observed_frames`` poses, selects the used joints, runs the model, and restores all joints:
    copies from their source, constant joints from the last observed pose. The model runs in evaluation mode without
    gradients; every one of its modules gets its mode back, so a model may be used while it is being trained.

    Args:
        model: Model to forecast with.
        action: What the subject does; needed by a model with action labels, and only by it.
        device: Device to run on; the model is moved there. By default the model's own.
        fast: Forecast with `posegraph.optimize(model)`: the same, several times sooner, on the CPU or a CUDA device.
            Later changes of the model have no effect.

    Raises:
        ConfigError: The model has action labels and no action is given, or the other way round; or ``fast`` is asked
            for on another kind of device.
        UnknownNameError: The model does not know the action.

    Examples:
        >>> import numpy as np
        >>> from posegraph import registry
        >>> from posegraph.forecast import Forecaster
        >>> forecaster = Forecaster(registry.build("zero-velocity", skeleton="cmu"))
        >>> forecaster(np.zeros((40, 38, 3))).shape
        (25, 38, 3)
    """

    def __init__(
        self,
        model: ForecastModel,
        *,
        action: str | None = None,
        device: torch.device | str | None = None,
        fast: bool = False,
    ) -> None:
        if bool(model.actions) != (action is not None):
            known = ", ".join(model.actions)
            raise ConfigError(
                f"action: expected one of {known}, because the model takes action labels, got none."
                if model.actions
                else f"action: expected none, because the model takes no action labels, got {action!r}. Leave it out."
            )
        self.model = model if device is None else model.to(device)
        self._predict = optimize(self.model).predict if fast else self.model.predict
        self._fast = fast
        self._labels = () if action is None else (model.action_labels([action]),)

    @classmethod
    def from_pretrained(
        cls, reference: str | Path, *, action: str | None = None, fast: bool = False, **options: Any
    ) -> Forecaster:
        """A forecaster with a trained model.

        Args:
            reference: A checkpoint or run folder, weights of the library such as ``"msrgcn-released/cmu"``, or a
                repository of the Hugging Face Hub.
            action: As for the class.
            fast: As for the class.
            options: More arguments of `posegraph.checkpoint.hub.from_pretrained`, such as ``device``.

        Raises:
            CheckpointError: There is nothing of this name, or it is no checkpoint or a damaged one.
            MissingDependencyError: The name can only be a repository, and huggingface_hub is not installed.
        """
        return cls(hub.from_pretrained(reference, **options), action=action, fast=fast)

    @overload
    def __call__(self, poses: torch.Tensor) -> torch.Tensor: ...
    @overload
    def __call__(self, poses: np.ndarray) -> np.ndarray: ...
    def __call__(self, poses: torch.Tensor | np.ndarray) -> torch.Tensor | np.ndarray:
        """Forecast the poses that follow.

        Args:
            poses: The latest poses, all joints of the model's skeleton in mm, oldest first: ``(frames, joints, 3)`` or
                ``(batch, frames, joints, 3)`` with at least ``observed_frames`` frames.

        Returns:
            Poses ``(future_frames, joints, 3)``, or with the batch axis in front; of the array type, number type and
            device of ``poses``.

        Raises:
            ShapeError: There are too few frames, or the joints are not those of the skeleton.
            DataError: One of the observed positions is not finite.
        """
        if isinstance(poses, np.ndarray):
            # A copy, since torch refuses negative strides and warns of read-only memory.
            return self._forecast(torch.from_numpy(np.array(poses, order="C"))).numpy()
        return self._forecast(poses.detach())

    def _forecast(self, poses: torch.Tensor) -> torch.Tensor:
        skeleton, needed = self.model.skeleton, self.model.observed_frames
        batched = poses.ndim == 4
        check_poses(
            "poses",
            poses,
            frames=None,
            joints=skeleton.num_joints,
            batch=batched,
            remedy=f"Give all joints of skeleton {skeleton.name!r}, unused ones too, with or without a batch axis.",
        )
        if poses.shape[-3] < needed:
            axes = f"at least {needed} frames, {skeleton.num_joints} joints, 3"
            raise ShapeError(
                "poses",
                f"(batch, {axes})" if batched else f"({axes})",
                tuple(poses.shape),
                f"The model sees {needed} frames: wait for more, or build it with fewer observed_frames.",
            )
        window = poses if batched else poses.unsqueeze(0)
        window = window[:, -needed:]
        observed = skeleton.reduce(window)
        _check_finite(observed, skeleton)
        with self.model.evaluating(), torch.inference_mode():
            labels = (label.to(self.model.device).expand(len(window)) for label in self._labels)
            # A fast forecast gets poses of the host to its device itself, and back.
            stay = self._fast and observed.device.type == "cpu"
            used = self._predict(observed if stay else observed.to(self.model.device, self.model.dtype), *labels)
        # Outside of inference mode, so that the caller gets an ordinary tensor, free to be changed in place.
        full = skeleton.expand(used.to(poses.device, poses.dtype), template=window[:, -1:])
        return full if batched else full[0]


def _check_finite(observed: torch.Tensor, skeleton: Skeleton) -> None:
    """Require finite positions of the used joints, ``(batch, frames, num_used, 3)``."""
    bad = ~observed.isfinite().all(dim=-1)
    if bad.any():
        joints = [
            skeleton.joint_names[skeleton.used[j]] for j in bad.any(dim=0).any(dim=0).nonzero().flatten().tolist()
        ]
        raise DataError(
            f"poses: expected finite positions in the last {observed.shape[1]} frames, got NaN or infinity in "
            f"{int(bad.sum())} of them (joints {', '.join(joints)}). Fill gaps first, for example by interpolation."
        )
