"""What can run the network of a model: PyTorch itself, its compilers, Triton kernels, ONNX Runtime, OpenVINO.

A backend is a file here that registers it; this is the order in which they are listed.
"""

from posegraph.inference.backends import eager, static, triton, onnx, openvino, compiled, aot  # noqa: I001
from posegraph.inference.backends.base import BACKENDS, Backend, Run, available, find, register

_FILES = (eager, static, triton, onnx, openvino, compiled, aot)

__all__ = ["BACKENDS", "Backend", "Run", "available", "find", "register"]
