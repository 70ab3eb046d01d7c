"""Errors of single joints under a protocol: where on the body a model is wrong."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import torch

from posegraph.data.dataset import MotionDataset
from posegraph.errors import ConfigError
from posegraph.evaluation.evaluate import measure
from posegraph.evaluation.metrics import joint_errors, mean_up_to
from posegraph.evaluation.protocol import Protocol
from posegraph.models.base import ForecastModel

__all__ = ["JointResult", "evaluate_joints"]


@dataclass(frozen=True, eq=False)
class JointResult:
    """Errors by action and joint, with the protocol that they hold for.

    Args:
        protocol: What was measured; ``actions`` and ``label_fps`` are filled in.
        joint_names: The joints that were compared.
        actions: Errors ``(frames of the protocol, joints)`` in mm, of each action that had clips.
    """

    protocol: Protocol
    joint_names: tuple[str, ...]
    actions: Mapping[str, torch.Tensor] = field(repr=False)

    @property
    def missing(self) -> tuple[str, ...]:
        """Actions of the protocol for which the data set had not the clips; the mean leaves them out."""
        return tuple(action for action in self.protocol.actions if action not in self.actions)

    @property
    def errors(self) -> torch.Tensor:
        """Unweighted mean over actions, ``(frames of the protocol, joints)``.

        Its mean over joints is the error that `posegraph.evaluation.evaluate` gives.
        """
        return torch.stack(list(self.actions.values())).mean(dim=0)


def evaluate_joints(
    model: ForecastModel,
    dataset: MotionDataset,
    protocol: Protocol | None = None,
    *,
    batch_size: int = 128,
    device: torch.device | str | None = None,
    progress: Callable[[int, int], object] | None = None,
) -> JointResult:
    """Measure the error of every joint on a data set.

    As `posegraph.evaluation.evaluate`, without the mean over joints. Rotations are brought to positions.

    Args:
        model: Model to evaluate. It runs in evaluation mode; every module gets its mode back.
        dataset: Data set to cut windows from.
        protocol: What to measure; by default errors at the frame, in all windows of the data set.
        batch_size: Windows a forward pass.
        device: Device to run on; the model is moved there. By default the model's own.
        progress: Called after each batch with windows done and windows in total.

    Returns:
        Errors by action and joint.

    Raises:
        ConfigError: Model, data set and protocol do not fit each other, or the metric is none of positions.
        UnknownNameError: The data set has no such split, window rule or action, or the model does not know an action.
        DataError: The data set has no clip of these actions, or a clip is too short.

    Examples:
        >>> from posegraph import data, registry
        >>> from posegraph.evaluation.joints import evaluate_joints
        >>> walking = data.load("cmu", "samples", split="test", actions=["walking"])
        >>> result = evaluate_joints(registry.build("zero-velocity", skeleton="cmu"), walking)
        >>> result.errors.shape, result.joint_names[int(result.errors[-1].argmax())]
        (torch.Size([6, 38]), 'RightToeBase_Site')
        >>> round(result.errors.mean(dim=1)[-1].item(), 1)  # the mean over joints is the MPJPE
        165.2
    """
    if protocol is None:
        protocol = Protocol.named(
            dataset,
            metric="mpjpe_at",
            observed_frames=model.observed_frames,
            future_frames=model.future_frames,
        )
    if protocol.unit != "mm":
        raise ConfigError(
            f"metric: expected 'mpjpe_at' or 'mpjpe_up_to', got {protocol.metric!r}, which has no parts by joint. Use "
            "one of those; rotations are brought to positions for them."
        )
    metric = joint_errors if protocol.metric == "mpjpe_at" else _joint_errors_up_to
    protocol, measured = measure(
        model, dataset, protocol, metric, batch_size=batch_size, device=device, progress=progress
    )
    skeleton = dataset.skeleton
    compared = range(skeleton.num_joints) if protocol.joints == "full" else skeleton.used
    names = tuple(skeleton.joint_names[joint] for joint in compared)
    return JointResult(protocol, names, {action: errors for action, (_, errors) in measured.items()})


def _joint_errors_up_to(prediction: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    return mean_up_to(joint_errors(prediction, truth))
