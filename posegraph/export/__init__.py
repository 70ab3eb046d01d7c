"""Models as files for other runtimes: ONNX, programs of `torch.export`, and libraries of AOTInductor."""

from posegraph.export.model import export
from posegraph.export.targets import TARGETS, Target

__all__ = ["TARGETS", "Target", "export"]
