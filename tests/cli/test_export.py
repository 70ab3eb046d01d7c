from __future__ import annotations

import json

import pytest


def test_a_model_becomes_a_file_and_its_description(command, saved, tmp_path):
    pytest.importorskip("onnxruntime", reason="runs the file")
    answer = command("export", saved, "--to", "onnx", "--out", "out/model.onnx")
    assert answer.status == 0, answer.err
    facts = json.loads((tmp_path / "out" / "model.onnx.json").read_text())
    assert answer.out.splitlines()[0] == "msrgcn-1l: (batch, 10, 25, 3) in, 25 frames out"
    size = (tmp_path / "out" / "model.onnx").stat().st_size / 1e6
    assert answer.out.splitlines()[-1] == f"written to out/model.onnx ({size:.1f} MB) and model.onnx.json"
    assert (facts["model"], facts["skeleton"]) == ("msrgcn-1l", "cmu")


def test_the_file_has_the_name_of_the_model_by_default(command, tmp_path):
    answer = command("export", "zero-velocity", "--to", "pt2", "--skeleton", "h36m")
    assert answer.status == 0, answer.err
    facts = json.loads((tmp_path / "zero-velocity.pt2.json").read_text())
    assert facts["skeleton"] == "h36m"


def test_mistakes_are_one_line(command, tmp_path):
    answer = command("export", "zero-velocity", "--to", "onxx")
    assert (answer.status, answer.err) == (
        2,
        "posegraph: error: unknown export target 'onxx'. Did you mean 'onnx'? Known: onnx, pt2, aot.\n",
    )
    answer = command("export", "zero-velocity", "--out", "model.bin")
    assert answer.status == 2
    assert "ends in .onnx for target 'onnx', got 'model.bin'" in answer.err
    assert list(tmp_path.iterdir()) == []
