from __future__ import annotations

import dataclasses
import subprocess
import sys
from threading import Barrier, Thread
from typing import Any
from unittest.mock import MagicMock

import pytest
import torch

from posegraph._support.device import Precision
from posegraph.errors import ConfigError, MissingDependencyError
from posegraph.inference.backends import BACKENDS, available, base, find, onnx, openvino, register
from posegraph.inference.backends.base import example, fixed, is_layered
from tests.inference.models import one_layer, relative_error, trained

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)
SMALL = {"channels": 4, "num_blocks": 1}
ERROR = {"fp32": 1e-6, "bf16": 3e-2}
CASES = [
    pytest.param(
        name,
        precision,
        marks=pytest.mark.skipif(backend.missing() is not None, reason=f"{name}: {backend.missing()}"),
    )
    for name, backend in BACKENDS.items()
    for precision in backend.precisions_on(CPU)
    if "cpu" in backend.devices and (backend.quick or precision == "fp32")
]


# PyTorch's compilers call what PyTorch deprecates.
@pytest.mark.filterwarnings("ignore:.*is deprecated:DeprecationWarning", "ignore:.*is deprecated:FutureWarning")
@pytest.mark.parametrize(("name", "precision"), CASES)
def test_backends_compute_what_the_network_does(name: str, precision: Precision) -> None:
    backend = BACKENDS[name]
    network = trained("msrgcn-1l", **SMALL).folded().float().network if backend.quick else one_layer()
    with torch.no_grad():
        for shape in ((10, 66), (None, 10, 66)) if backend.any_batch else ((10, 66),):
            run = backend.prepare(network, shape, precision, CPU)
            for size in (2, 5) if None in shape else (0,):
                frames = 300 * torch.randn(*((size,) if size else ()), 10, 66)
                output = run(frames)
                assert output.dtype == torch.float32
                assert relative_error(output, network(frames)) < ERROR[precision]
                assert relative_error(run(frames.transpose(-1, -2).contiguous().transpose(-1, -2)), output) < 1e-6


def test_eager_is_always_there() -> None:
    assert "eager" in available()
    assert find("eager", "fp32") is BACKENDS["eager"]


def test_unknown_names_are_refused() -> None:
    with pytest.raises(
        ConfigError, match=r"backend: expected 'auto', 'plain', 'eager', .* got 'tvm'. Available on the CPU: 'ea"
    ):
        find("tvm", "fp32")


def test_precisions_that_a_backend_lacks_are_refused() -> None:
    with pytest.raises(
        ConfigError,
        match=r"'onnx' does not compute in 'bf16' on the CPU, but in 'fp32'. 'bf16' there: 'eager', 'static', 'op",
    ):
        find("onnx", "bf16")
    with pytest.raises(
        ConfigError, match=r"'eager' does not compute in 'tf32' on the CPU, but in 'fp32', 'bf16'. 'tf32' there: none"
    ):
        find("eager", "tf32")
    assert BACKENDS["eager"].precisions_on(GPU) == ("fp32", "tf32", "bf16")


def test_backends_of_other_devices_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"backend 'onnx': works on the CPU only; got a model on cuda:0. Avail"):
        find("onnx", "fp32", GPU)
    with pytest.raises(
        ConfigError,
        match=r"'graph': works on CUDA devices only.*; got a model on the CPU. Available on the CPU: 'eager'.*; not",
    ):
        find("graph", "fp32")
    assert "graph" in available(GPU)
    assert "graph" not in available(CPU)


def test_it_says_when_there_is_no_cuda_device(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert BACKENDS["graph"].missing() == "works on CUDA devices only, and there is no CUDA device"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert BACKENDS["graph"].missing() == "works on CUDA devices only"


@pytest.mark.parametrize("name", ["triton", "triton-whole", "compile"])
def test_without_triton_its_backends_are_missing_on_cuda_devices(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base.importlib.util, "find_spec", lambda package: None)
    with pytest.raises(
        MissingDependencyError,
        match=rf"backend '{name}': 'triton' not installed. Install with: pip install 'posegraph\[triton\]'. "
        r"Available on cuda:0: 'eager', 'graph'; not .*; not 'triton'",
    ):
        find(name, "tf32", GPU)


def test_what_is_not_installed_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    lacking = dataclasses.replace(BACKENDS["onnx"], packages=("onnx", "no_such_package"))
    monkeypatch.setitem(BACKENDS, "onnx", lacking)
    with pytest.raises(
        MissingDependencyError,
        match=r"backend 'onnx': .*'no_such_package' not installed. Install with: pip install 'posegraph\[onnx\]'. "
        r"Available on the CPU: 'eager'.*; not 'onnx'",
    ):
        find("onnx", "fp32")


def test_a_compiler_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CXX", "no-such-compiler")
    with pytest.raises(MissingDependencyError, match=r"'aot': no C\+\+ compiler found. Install g\+\+, or set CXX"):
        find("aot", "fp32")
    assert "aot" not in available()
    monkeypatch.delenv("CXX")
    monkeypatch.setenv("PATH", "")
    assert BACKENDS["compile"].missing() is not None


def test_runtimes_take_the_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    runtime = MagicMock()
    for module in (onnx, openvino):
        monkeypatch.setattr(module, "import_optional", lambda name, **_: runtime)
        monkeypatch.setattr(module, "to_onnx", lambda *_, **__: b"")
    monkeypatch.setattr(openvino, "_core", lambda: runtime.core)
    monkeypatch.setattr(torch, "get_num_threads", lambda: 3)
    BACKENDS["onnx"].prepare(one_layer(), (10, 66), "fp32", CPU)
    assert runtime.SessionOptions.return_value.intra_op_num_threads == 3
    BACKENDS["openvino"].prepare(one_layer(), (10, 66), "fp32", CPU)
    assert runtime.core.compile_model.call_args.args[2]["INFERENCE_NUM_THREADS"] == 3


def test_torch_compile_compiles_once_for_all_modes(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[int] = []

    def note(graph: Any, examples: Any) -> Any:
        compiled.append(len(examples))
        return graph.forward

    by_pytorch = torch.compile
    monkeypatch.setattr(torch, "compile", lambda module, **settings: by_pytorch(module, backend=note, **settings))
    network, frames = one_layer(), torch.randn(10, 66)
    run = BACKENDS["compile"].prepare(network, (10, 66), "fp32", CPU)
    expected = network(frames)
    with torch.inference_mode():
        assert torch.equal(run(frames.clone()), expected)
    with torch.no_grad():
        assert torch.equal(run(frames), expected)
    assert len(compiled) == 1
    for count in range(2, 11):  # a ninth size of the same code would run without being compiled
        BACKENDS["compile"].prepare(network, (count, 10, 66), "fp32", CPU)
    assert len(compiled) == 10


INTERRUPT = """
import faulthandler, os, signal, torch
faulthandler.enable()
from posegraph.inference.backends import BACKENDS
from posegraph.folding.layers import Affine, FoldedLayer
from posegraph.folding.network import FoldedNetwork
network = FoldedNetwork(FoldedLayer([Affine(right=torch.ones(2, 2))]))
runs = [BACKENDS["openvino"].prepare(network, (2, 3), "fp32", torch.device("cpu")) for _ in range(2)]
for run in runs:
    run(torch.ones(2, 3))
del run
while runs:
    del runs[0]
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    print("interrupted")
"""


def test_a_process_that_used_openvino_can_be_interrupted() -> None:
    pytest.importorskip("openvino", reason="runs a network by OpenVINO")
    done = subprocess.run([sys.executable, "-c", INTERRUPT], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "interrupted\n"), done.stderr


def test_backends_of_layered_networks_refuse_others() -> None:
    for name, device in (("static", CPU), ("triton", GPU), ("triton-whole", GPU)):
        with pytest.raises(
            ConfigError,
            match=rf"backend '{name}': expected a layered network, got a model of another kind. 'static' and Triton "
            r"kernels serve layered networks, which are those of MSR-GCN and Traj-GCN; any model is served by 'eager'",
        ):
            find(name, "fp32", device, layered=False)
    with pytest.raises(
        ConfigError, match=r"'aot' does not compute this model in 'bf16' on the CPU, but in 'fp32'. 'bf16' there: "
    ):
        find("aot", "bf16", layered=False)
    assert find("eager", "bf16", layered=False) is BACKENDS["eager"]


def test_a_backend_can_be_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(base, "BACKENDS", {})
    own = dataclasses.replace(BACKENDS["eager"], name="own")
    register(own)
    assert {"own": own} == base.BACKENDS


def test_layered_networks_are_told_from_others() -> None:
    assert is_layered(one_layer())
    assert not is_layered(torch.nn.Linear(2, 2))
    assert fixed((None, 10, 66)) == (10, 66)
    assert example((2, 3), CPU).shape == (2, 3)


@pytest.mark.parametrize(
    "name",
    [
        pytest.param(
            n, marks=pytest.mark.skipif(BACKENDS[n].missing() is not None, reason=f"{n}: {BACKENDS[n].missing()}")
        )
        for n in ("static", "onnx", "openvino")
    ],
)
def test_eight_threads_may_call_a_prepared_network_at_once(name: str) -> None:
    network = trained("msrgcn-1l", **SMALL).folded().float().network
    run = BACKENDS[name].prepare(network, (10, 66), "fp32", CPU)
    inputs = [300 * torch.randn(10, 66) for _ in range(8)]
    with torch.no_grad():
        expected = [network(frames) for frames in inputs]
    start, wrong = Barrier(8), []

    def work(number: int) -> None:
        start.wait()
        with torch.no_grad():
            results = [run(inputs[number]).clone() for _ in range(20)]
        wrong.extend(number for result in results if relative_error(result, expected[number]) > 1e-5)

    threads = [Thread(target=work, args=[number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
