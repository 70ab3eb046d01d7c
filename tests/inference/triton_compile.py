"""Compiles launches for a GPU that need not be there, and reads what they take.

As a program, it compiles all launches of the models at their full size, and prints a line for each kernel:
``python -m tests.inference.triton_compile [model ...]``.
"""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from posegraph import registry
from posegraph.inference.networks import fold_model
from posegraph.inference.triton_network import Launch, LayerByLayer, Precision, Whole

HOPPER, PROCESSORS = 90, 132
SHARED_LIMIT = 227 * 1024
_TYPES = {torch.float32: "*fp32", torch.bfloat16: "*bf16", torch.int32: "*i32", torch.int64: "*i64"}


@dataclass(frozen=True)
class Taken:
    """What a program of a kernel takes."""

    shared: int
    """Bytes of shared memory."""
    registers: int
    """Of a thread."""
    stack: int
    """Bytes of a thread's stack, where values go that find no register."""
    tensor_cores: str
    """Their instructions: "wgmma", "mma", or "" where there are none."""


def specialized(launch: Launch) -> tuple[dict[str, str], dict[str, Any], dict[tuple[int], Any]]:
    """Signature, constants and divisibility of the arguments, as a launch on a device would specialise them."""
    types, constants, divisible = {}, {}, {}
    for index, parameter in enumerate(launch.kernel.params):
        name, value = parameter.name, launch.arguments[parameter.name]
        free = not parameter.do_not_specialize
        if parameter.is_constexpr or (free and isinstance(value, int) and value == 1):
            types[name], constants[name] = "constexpr", value
            continue
        if isinstance(value, torch.Tensor):
            types[name] = _TYPES[value.dtype]
            multiple = value.storage_offset() * value.element_size() % 16 == 0
        else:
            types[name] = "i32" if isinstance(value, int) else "fp32"
            multiple = free and isinstance(value, int) and value % 16 == 0
        if multiple:
            divisible[index,] = [["tt.divisibility", 16]]
    return types, constants, divisible


def compile_launch(launch: Launch) -> Taken:
    """Compile the kernel of a launch with Triton and ptxas."""
    import triton
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    types, constants, divisible = specialized(launch)
    source = ASTSource(launch.kernel, types, constants, divisible)
    options = {"enable_fp_fusion": True, **launch.options}
    compiled = triton.compile(source, target=GPUTarget("cuda", HOPPER, 32), options=options)
    ptx = compiled.asm["ptx"]
    registers, stack = _resources(compiled.asm["cubin"])
    cores = "wgmma" if "wgmma.mma_async" in ptx else "mma" if "mma.sync" in ptx else ""
    return Taken(compiled.metadata.shared, registers, stack, cores)


def _resources(cubin: bytes) -> tuple[int, int]:
    """Registers, and bytes on the stack, by what the machine code says of itself."""
    from triton import knobs

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernel.cubin"
        path.write_bytes(cubin)
        command = [knobs.nvidia.cuobjdump.path, "--dump-resource-usage", str(path)]
        report = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"REG:(\d+) STACK:(\d+)", report)
    assert found, report
    return int(found[1]), int(found[2])


def launches(name: str, windows: int, precision: Precision, whole: bool, **settings: Any) -> list[Launch]:
    """All launches of a forecast, prepared on the CPU and not run."""
    from posegraph.inference import _triton_kernels

    model = registry.build(name, **settings)
    nodes = len(model.skeleton.moving)
    shape = (windows, model.observed_frames, nodes)
    network, device = fold_model(model).network, torch.device("cpu")
    frames = torch.zeros(shape)
    if whole:
        return [Whole(_triton_kernels, network, shape, precision, device, processors=PROCESSORS).launch(frames)]
    run = LayerByLayer(_triton_kernels, network, shape, precision, device, processors=PROCESSORS)
    return list(run.launches(frames))


def distinct(all_launches: list[Launch]) -> Iterator[tuple[Launch, int]]:
    """Launches whose kernels differ, and how often each comes."""
    kinds: dict[str, tuple[Launch, int]] = {}
    for launch in all_launches:
        key = repr((launch.kernel.fn.__name__, specialized(launch), launch.options))
        kinds[key] = launch, kinds.get(key, (launch, 0))[1] + 1
    yield from kinds.values()


def main(models: list[str]) -> None:
    """Compile everything; end with an error if a kernel does not fit."""
    unfit = 0
    for name in models or ["msrgcn-released", "msrgcn", "traj-gcn"]:
        for precision in ("fp32", "tf32", "bf16"):
            for windows, whole in ((1, False), (16, False), (128, False), (4096, False), (1, True), (16, True)):
                for launch, count in distinct(launches(name, windows, precision, whole)):
                    start = time.perf_counter()
                    taken = compile_launch(launch)
                    unfit += taken.shared > SHARED_LIMIT
                    sizes = {k: v for k, v in launch.arguments.items() if k.isupper() and isinstance(v, int)}
                    print(
                        f"{name} {precision} {windows}{' whole' if whole else ''}: {count} x {taken} "
                        f"programs={launch.programs} warps={launch.options['num_warps']} {sizes} "
                        f"{time.perf_counter() - start:.1f} s",
                        flush=True,
                    )
    if unfit:
        sys.exit(f"{unfit} kernels take more than {SHARED_LIMIT} bytes of shared memory")


if __name__ == "__main__":
    main(sys.argv[1:])
