"""Forecasts of full poses: what an application calls once it has a model."""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, overload

import numpy as np
import torch

from posegraph._support.checks import check_poses
from posegraph._support.modules import evaluation_view, live_tensor
from posegraph._support.units import Unit
from posegraph.checkpoint.store import as_model
from posegraph.data.resample import Axis
from posegraph.errors import ConfigError, DataError, ShapeError
from posegraph.forecast.conversion import Conversion
from posegraph.forecast.plausible import PosesSeen
from posegraph.inference.optimize import optimize
from posegraph.models.base import ForecastModel
from posegraph.skeleton.skeleton import Skeleton
from posegraph.weights.reference import TrainedWeights

__all__ = ["Forecaster"]


class Forecaster:
    """Forecasts full poses with a model that works on the used joints.

    A call takes the last ``observed_frames`` poses, selects the used joints, runs the model, and restores all joints:
    copies from their source, constant joints from the last observed pose. The forecasts are those of evaluation mode,
    whatever mode the model is in, and no mode is changed: they come from a view that shares the model's parameters and
    buffers. So several threads may call one forecaster, and may train the model meanwhile; such a forecast may mix the
    weights of two steps.

    A copy, or what a pickle gives back, forecasts with weights of its own.

    Args:
        model: Model to forecast with, or a reference to a trained one, as `posegraph.checkpoint.load` takes it: a
            checkpoint or run folder, weights of the library such as ``"graph-mixer/cmu"``, or a repository of the
            Hugging Face Hub.
        action: What the subject does; needed by a model with action labels, and only by it.
        device: Device to run on; the model is moved there. By default the model's own.
        fast: Forecast with `posegraph.optimize(model)`: the same, several times sooner, on the CPU or a CUDA device.
            Later changes of the model have no effect. A warning says so where nothing is faster than the model itself.
        fps: Frames a second of the poses given; by default those that the model was trained on. Other rates are
            resampled, and forecasts come at the rate given.
        unit: Unit of the poses given: ``"mm"``, ``"cm"``, ``"m"``, ``"inch"``; by default the model's. Forecasts are in
            the same unit.
        up: Axis of the poses given that points up: ``"x"``, ``"y"`` or ``"z"``; by default the model's.

    A trained model remembers the size, root and axes of the poses that it was trained on, and refuses others: metres in
    place of millimetres would give nonsense without a word.

    Raises:
        CheckpointError: There is no trained model of this reference, or it is damaged.
        ConfigError: ``model`` is neither; or the model has action labels and no action is given, or the other way
            round; or ``fast`` is asked for on another kind of device; or ``fps``, ``unit`` or ``up`` cannot be
            converted.
        MissingDependencyError: The reference can only be a repository, and huggingface_hub is not installed.
        UnknownNameError: The model does not know the action.

    Examples:
        >>> from posegraph import data
        >>> from posegraph.forecast import Forecaster
        >>> running = data.load("cmu", "samples", split="test", actions="running").select("test")[0]
        >>> Forecaster("graph-mixer/cmu")(running.poses[:30]).shape
        torch.Size([25, 38, 3])
        >>> in_metres = running.poses[:30:2] / 1000  # every second frame: 30 a second
        >>> Forecaster("graph-mixer/cmu", fps=30, unit="m")(in_metres).shape
        torch.Size([12, 38, 3])
    """

    def __init__(
        self,
        model: ForecastModel | str | Path | TrainedWeights,
        *,
        action: str | None = None,
        device: torch.device | str | None = None,
        fast: bool = False,
        fps: float | None = None,
        unit: Unit | None = None,
        up: Axis | None = None,
    ) -> None:
        own = as_model(model)
        if bool(own.actions) != (action is not None):
            known = ", ".join(own.actions)
            raise ConfigError(
                f"action: expected one of {known}, because the model takes action labels, got none."
                if own.actions
                else f"action: expected none, because the model takes no action labels, got {action!r}. Leave it out."
            )
        self.model = own if device is None else own.to(device)
        """The model; with ``fast`` what it was made from."""
        seen = own.record.get("poses")
        self._seen = PosesSeen(seen, own.skeleton) if isinstance(seen, Mapping) else None
        self.model_fps = own.trained_fps
        """Frames a second that the model was trained on; None if that is not known."""
        self._conversion = Conversion(own, self.model_fps, fps=fps, unit=unit, up=up)
        self.observed_frames = self._conversion.needed
        """Frames, at the rate of the poses given, that a call needs."""
        self.future_frames = self._conversion.future_frames
        """Frames, at the same rate, that it forecasts."""
        self._labels = () if action is None else (own.action_labels([action]),)
        self._optimized = optimize(self.model) if fast else None
        self._make_view()
        if self._optimized is not None and self._optimized.backend == "plain":
            warnings.warn(f"fast=True changes nothing: {self.explanation}", RuntimeWarning, stacklevel=2)

    @property
    def backend(self) -> str:
        """Name of what computes: ``"plain"`` for the model as it is, else a backend of `posegraph.optimize`."""
        return "plain" if self._optimized is None else self._optimized.backend

    @property
    def explanation(self) -> str:
        """What computes, and why."""
        name = self.model.registry_name or type(self.model).__name__
        if self._optimized is None:
            return f"{name} runs as it is, in PyTorch, because fast=True was not asked for."
        return f"{name}: {self._optimized.explanation}"

    def __repr__(self) -> str:
        name = self.model.registry_name or type(self.model).__name__
        return f"Forecaster({name!r}, backend={self.backend!r}, device={str(self.model.device)!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key not in ("_view", "_example")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        self._make_view()

    def _make_view(self) -> None:
        self._view = None if self._optimized is not None else evaluation_view(self.model)
        self._example = live_tensor(self.model)

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
            DataError: One of the observed positions is not finite, or the poses cannot be like those that the model was
                trained on.
        """
        if isinstance(poses, torch.Tensor):
            return self._forecast(poses.detach())
        if isinstance(poses, np.ma.MaskedArray):
            poses = poses.filled(np.nan)  # what lies under a mask is no number
        given = np.asarray(poses)
        if given.dtype.kind != "f":
            raise ShapeError(
                "poses", "floating-point numbers", given.dtype, "Convert them, as with `poses.astype('float32')`."
            )
        # A copy of the machine's own byte order, since torch refuses others and negative strides.
        native = np.array(given, order="C", dtype=given.dtype.newbyteorder("="))
        return self._forecast(torch.from_numpy(native)).numpy()

    def _forecast(self, poses: torch.Tensor) -> torch.Tensor:
        skeleton = self.model.skeleton
        self._check(poses)
        window = poses[..., -self._conversion.needed :, :, :]
        batched = poses.ndim == 4
        window = window if batched else window.unsqueeze(0)
        with torch.inference_mode():
            _check_finite(skeleton.reduce(window), skeleton)
            window = self._conversion.to_model(window)
            if self._seen is not None and len(window):
                self._seen.check(window[:, -1].float().cpu().numpy())
            used = self._predict(skeleton.reduce(window))
        # Outside of inference mode, so that the caller gets an ordinary tensor, free to be changed in place.
        last = window[:, -1:].clone() if window.is_inference() else window[:, -1:]
        full = skeleton.expand(used.to(poses.device, poses.dtype), template=last)
        full = self._conversion.from_model(full, last)
        return full if batched else full[0]

    def _predict(self, observed: torch.Tensor) -> torch.Tensor:
        """Forecast the used joints, on whatever device."""
        if self._optimized is not None:  # it gets poses of the host to its device itself, and back
            device, run = self._optimized.device, self._optimized.predict
            observed = observed if observed.device.type == "cpu" else observed.to(device)
        else:
            assert self._view is not None
            example = self._example()
            device, run = example.device, self._view.predict
            observed = observed.to(device, example.dtype)
        labels = [label.to(device).expand(observed.shape[0]) for label in self._labels]
        return run(observed, *labels)

    def _check(self, poses: torch.Tensor) -> None:
        """Require full poses of the skeleton, enough of them."""
        skeleton, needed = self.model.skeleton, self._conversion.needed
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


def _check_finite(observed: torch.Tensor, skeleton: Skeleton) -> None:
    """Require finite positions of the used joints, ``(batch, frames, num_used, 3)``."""
    if math.isfinite(observed.sum().item()):  # one quick pass: only finite positions have a finite sum
        return
    bad = ~observed.isfinite().all(dim=-1)
    if bad.any():
        joints = [
            skeleton.joint_names[skeleton.used[j]] for j in bad.any(dim=0).any(dim=0).nonzero().flatten().tolist()
        ]
        raise DataError(
            f"poses: expected finite positions in the last {observed.shape[1]} frames, got NaN or infinity in "
            f"{int(bad.sum())} of them (joints {', '.join(joints)}). Fill gaps first, for example by interpolation."
        )
