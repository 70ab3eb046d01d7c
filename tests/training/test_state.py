from __future__ import annotations

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import nn

from posegraph.errors import CheckpointError
from posegraph.training.state import Best, Progress, read_progress, restore, store

PROGRESS = Progress(
    epoch=3,
    step=7,
    loss_sums=[0.1 + 0.2, 1.0],
    windows=112,
    best=[Best(2, 1 / 3), Best()],
    seconds=1.5,
    settings={"seed": [1]},
)


def trained(steps: int = 3, width: int = 4) -> tuple[nn.Module, torch.optim.Adam, torch.amp.GradScaler]:
    """A network with parameters, buffers and a frozen parameter, after a few steps."""
    torch.manual_seed(steps)
    model = nn.Sequential(nn.Linear(3, width), nn.BatchNorm1d(width), nn.Dropout(0.5), nn.Linear(width, 2))
    model[0].bias.requires_grad_(False)
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    for _ in range(steps):
        step(model, optimizer)
    return model, optimizer, torch.amp.GradScaler("cpu", enabled=False)


def step(model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
    """A step that depends on the random generator twice, for its data and for its dropout, and seeds it."""
    torch.manual_seed(11)
    optimizer.zero_grad()
    model(torch.randn(8, 3)).square().mean().backward()
    optimizer.step()


def test_a_restored_run_goes_on_in_the_same_way(tmp_path):
    model, optimizer, scaler = trained()
    store(tmp_path / "state", PROGRESS, model, optimizer, scaler)
    step(model, optimizer)

    other, other_optimizer, other_scaler = trained(steps=1)
    assert restore(tmp_path / "state", other, other_optimizer, other_scaler) == PROGRESS
    step(other, other_optimizer)
    for (name, value), again in zip(model.state_dict().items(), other.state_dict().values(), strict=True):
        assert torch.equal(value, again), name
    for index, moments in optimizer.state_dict()["state"].items():
        for key, value in moments.items():
            assert torch.equal(value, other_optimizer.state_dict()["state"][index][key]), key


def test_a_run_is_stored_before_its_first_step(tmp_path):
    store(tmp_path / "state", Progress(), *trained(steps=0))
    model, optimizer, scaler = trained(steps=0)
    assert restore(tmp_path / "state", model, optimizer, scaler) == Progress()
    assert optimizer.state_dict()["state"] == {}


def test_the_file_holds_tensors_by_name(tmp_path):
    store(tmp_path / "state", PROGRESS, *trained())
    keys = set(load_file(tmp_path / "state"))
    assert {"model.0.bias", "model.1.running_mean", "optimizer.0.exp_avg", "optimizer.0.step"} <= keys
    assert len([key for key in keys if key.endswith("exp_avg_sq")]) == 5  # six parameters, one of them frozen


def test_progress_can_be_read_alone(tmp_path):
    store(tmp_path / "state", PROGRESS, *trained())
    assert read_progress(tmp_path / "state") == PROGRESS


def test_an_older_state_is_replaced_as_a_whole(tmp_path, monkeypatch):
    file = tmp_path / "state"
    store(file, PROGRESS, *trained())
    before = file.read_bytes()

    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="No space left"):
        store(file, Progress(epoch=9), *trained(steps=4))
    assert file.read_bytes() == before
    assert list(tmp_path.iterdir()) == [file]


DAMAGE = {
    "empty": b"",
    "noise": b"\x93NUMPY" * 40,
    "pickle": b"\x80\x04N.",
    "huge header": b"\xff" * 8 + b"{}",
}


@pytest.mark.parametrize("content", DAMAGE.values(), ids=DAMAGE)
@pytest.mark.parametrize("read", [lambda file: restore(file, *trained()), read_progress], ids=["restore", "progress"])
def test_damaged_files_are_refused(tmp_path, content, read):
    (tmp_path / "state").write_bytes(content)
    with pytest.raises(CheckpointError, match=r"state: expected the state of a training run of this model, but it"):
        read(tmp_path / "state")


def test_a_shortened_file_is_refused(tmp_path):
    file = tmp_path / "state"
    store(file, PROGRESS, *trained())
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=r"it cannot be read: .*Start anew in another folder"):
        restore(file, *trained())


def test_tensors_alone_are_no_state(tmp_path):
    save_file({"model.weight": torch.zeros(1)}, tmp_path / "state")
    with pytest.raises(CheckpointError, match="expected the state of a training run"):
        read_progress(tmp_path / "state")


def test_the_state_of_another_model_is_refused(tmp_path):
    store(tmp_path / "state", PROGRESS, *trained(width=5))
    with pytest.raises(CheckpointError, match=r"(?s)expected the state of a training run of this model.*size mismatch"):
        restore(tmp_path / "state", *trained(width=4))


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="No such file"):
        restore(tmp_path / "state", *trained())
