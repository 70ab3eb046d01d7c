from __future__ import annotations

import dataclasses
import json
import math

import pytest

from posegraph import registry
from posegraph.errors import DataError, UnknownNameError
from posegraph.evaluation.evaluate import evaluate
from posegraph.evaluation.protocol import Protocol
from posegraph.evaluation.result import ActionResult, Result
from tests.data.motion import ARM
from tests.evaluation.arms import arm_model, arms


def test_json_has_protocol_actions_and_mean(tmp_path):
    result = evaluate(arm_model(), arms())
    result.save(tmp_path / "result.json")
    written = json.loads((tmp_path / "result.json").read_text())
    assert written == result.to_json()
    error = pytest.approx(2 * math.sqrt(3) * 2 / 3)
    assert written == {
        "protocol": {
            "dataset": "arms",
            "split": "test",
            "windows": "all",
            "joints": "full",
            "metric": "mpjpe_at",
            "frames": [1],
            "observed_frames": 2,
            "future_frames": 2,
            "label_fps": 60.0,
            "actions": ["wave", "bow"],
            "fps": 60.0,
            "model": {"name": type(arm_model()).__name__},
        },
        "actions": {
            "wave": {"windows": 5, "frames": [1], "mpjpe_mm": [error]},
            "bow": {"windows": 1, "frames": [1], "mpjpe_mm": [error]},
        },
        "mean": {"actions": ["wave", "bow"], "frames": [1], "mpjpe_mm": [error], "mean_mm": error},
    }
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


@pytest.mark.parametrize(
    ("fps", "label_fps", "rates", "times"),
    [
        (
            60.0,
            25.0,
            "60 fps, labelled as 25 fps",
            ["               17 ms    417 ms", "labelled       40 ms   1000 ms"],
        ),
        (25.0, 25.0, "25 fps", ["               40 ms   1000 ms"]),
        (None, 25.0, "ms labels at 25 fps", ["labelled       40 ms   1000 ms"]),
    ],
)
def test_tables_show_true_times_and_published_labels_where_they_differ(fps, label_fps, rates, times):
    protocol = Protocol("arms", frames=(0, 24), label_fps=label_fps, fps=fps)
    actions = {"wave": ActionResult(146, (1.234, 100.0)), "bow": ActionResult(8, (2.0, 50.0))}
    lines = Result(protocol, actions).table().splitlines()
    assert lines[0] == f"arms test, windows: all, 10 -> 25 frames, mpjpe_at, full joints, actions: all, {rates}"
    assert [" ".join(line.split()) for line in lines[2:-3]] == [" ".join(line.split()) for line in times]
    assert lines[1].index("frame 24") + len("frame 24") == len(lines[2])
    assert lines[-3:] == [
        "wave           146     1.23    100.00  50.62",
        "bow              8     2.00     50.00  26.00",
        "mean of 2              1.62     75.00  38.31",
    ]


def test_table_leaves_out_milliseconds_that_nobody_named():
    assert " ms" not in Result(Protocol("arms"), {"wave": ActionResult(1, (1.0,) * 6)}).table()


@pytest.mark.parametrize("metric", ["mpjpe_at", "euler_at"])
def test_results_are_read_back(metric):
    protocol = Protocol("arms", future_frames=2, metric=metric, actions=("wave", "bow"), label_fps=25.0)
    result = Result(protocol, {"wave": ActionResult(3, (1.5,))}, {"name": "still"})
    assert Result.from_json(json.loads(json.dumps(result.to_json()))) == result


@pytest.mark.parametrize("data", [[], {}, {"protocol": {"model": {}}}, {"protocol": {"dataset": "x", "model": 1}}])
def test_other_json_is_no_result(data):
    with pytest.raises(DataError, match="result: expected what 'posegraph evaluate --out' writes, got something else"):
        Result.from_json(data)


def test_a_result_of_some_actions_averages_over_them():
    result = evaluate(registry.build("zero-velocity", skeleton=ARM, observed_frames=1, future_frames=2), arms())
    bow = result.select(["bow"])
    assert bow.errors == result.actions["bow"].errors
    assert bow.protocol == dataclasses.replace(result.protocol, actions=("bow",))
    assert bow.missing == ()
    swapped = tuple(reversed(result.actions))
    assert tuple(result.select(swapped).actions) == swapped
    assert result.select(swapped).mean == pytest.approx(result.mean)
    with pytest.raises(UnknownNameError, match="unknown measured action 'jump'"):
        result.select(["bow", "jump"])
