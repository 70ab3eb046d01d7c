"""Compiles launches for a GPU that need not be there, and reads what they take.

As a program, it compiles all launches of the models at their full size, and prints a line for each kernel:
``python -m tests.inference.triton.triton_compile [model ...]``.
"""

from __future__ import annotations

import contextlib
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
from posegraph.inference.triton.network import Launch, LayerByLayer, Precision, Whole

PROCESSORS, SHARED_LIMIT = 132, 227 * 1024
"""Multiprocessors of an H100 or H200, and bytes of shared memory that a program may have."""


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


class _Hopper:
    """As much of a driver as Triton asks before it launches."""

    def get_current_device(self) -> int:
        return 0

    def get_current_stream(self, device: int | None = None) -> int:
        return 0

    def get_current_target(self) -> Any:
        from triton.backends.compiler import GPUTarget

        return GPUTarget("cuda", 90, 32)


@contextlib.contextmanager
def _driver() -> Iterator[None]:
    from triton.runtime import driver

    before = driver._active  # to reset it properly would need a device
    driver.set_active(_Hopper())
    try:
        yield
    finally:
        driver._active = before


def compile_launch(launch: Launch) -> Any:
    """Compile the kernel of a launch, specialised for its arguments as in a real one; the same object for the same."""
    with _driver():
        return launch.kernel.warmup(grid=(launch.programs,), **launch.arguments, **launch.options)


def taken_by(compiled: Any) -> Taken:
    """What a compiled kernel takes, by what its machine code says of itself."""
    from triton import knobs

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "kernel.cubin"
        path.write_bytes(compiled.asm["cubin"])
        command = [knobs.nvidia.cuobjdump.path, "--dump-resource-usage", str(path)]
        report = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    found = re.search(r"REG:(\d+) STACK:(\d+)", report)
    assert found, report
    ptx = compiled.asm["ptx"]
    cores = "wgmma" if "wgmma.mma_async" in ptx else "mma" if "mma.sync" in ptx else ""
    return Taken(compiled.metadata.shared, int(found[1]), int(found[2]), cores)


def launches(name: str, windows: int, precision: Precision, whole: bool, **settings: Any) -> list[Launch]:
    """All launches of a forecast, prepared on the CPU and not run."""
    from posegraph.inference.triton import kernels

    model = registry.build(name, **settings)
    shape = (windows, model.observed_frames, len(model.skeleton.moving))
    network, device = model.folded().network, torch.device("cpu")
    frames = torch.zeros(shape)
    if whole:
        return [Whole(kernels, network, shape, precision, device, processors=PROCESSORS).launch(frames)]
    run = LayerByLayer(kernels, network, shape, precision, device, processors=PROCESSORS)
    return list(run.launches(frames))


def main(models: list[str]) -> None:
    """Compile everything; end with an error if a kernel does not fit."""
    unfit = 0
    for name in models or ["msrgcn-released", "msrgcn", "traj-gcn"]:
        for precision in ("fp32", "tf32", "bf16"):
            for windows, whole in ((1, False), (16, False), (128, False), (4096, False), (1, True), (16, True)):
                start = time.perf_counter()
                all_launches = launches(name, windows, precision, whole)
                kernels = {id(compiled): compiled for compiled in map(compile_launch, all_launches)}
                seconds = time.perf_counter() - start
                taken = [taken_by(compiled) for compiled in kernels.values()]
                unfit += sum(one.shared > SHARED_LIMIT for one in taken)
                print(
                    f"{name} {precision} {windows} {'whole' if whole else 'layers'}: "
                    f"{len(all_launches)} launches of {len(kernels)} kernels, at most "
                    f"{max(one.shared for one in taken)} bytes shared, "
                    f"{max(one.registers for one in taken)} registers, "
                    f"{max(one.stack for one in taken)} bytes stack; "
                    f"{'/'.join(sorted({one.tensor_cores for one in taken} - {''})) or 'no tensor cores'}; "
                    f"compiled in {seconds:.0f} s",
                    flush=True,
                )
    if unfit:
        sys.exit(f"{unfit} kernels take more than {SHARED_LIMIT} bytes of shared memory")


if __name__ == "__main__":
    main(sys.argv[1:])
