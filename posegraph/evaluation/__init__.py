"""Errors of forecasts under named protocols, and the numbers that papers print."""

from posegraph.evaluation.evaluate import evaluate
from posegraph.evaluation.joints import JointResult, evaluate_joints
from posegraph.evaluation.metrics import euler_error_at, joint_errors, mean_up_to, mpjpe_at, mpjpe_up_to
from posegraph.evaluation.protocol import Metric, Protocol
from posegraph.evaluation.result import ActionResult, Result

__all__ = [
    "ActionResult",
    "JointResult",
    "Metric",
    "Protocol",
    "Result",
    "euler_error_at",
    "evaluate",
    "evaluate_joints",
    "joint_errors",
    "mean_up_to",
    "mpjpe_at",
    "mpjpe_up_to",
]
