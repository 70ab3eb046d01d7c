from __future__ import annotations

import copy
import re
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from posegraph import checkpoint, registry
from posegraph.checkpoint.card import model_card
from posegraph.errors import CheckpointError, ConfigError, UnknownNameError
from tests.weights.standin import COMMANDS, REFERENCE


@pytest.fixture
def config(stand_in) -> dict[str, Any]:
    return checkpoint.read_config(stand_in / REFERENCE)


def section(card: str, heading: str) -> str:
    return card.partition(f"## {heading}\n")[2].partition("\n## ")[0]


def rows(card: str, label: str) -> list[list[str]]:
    """Cells of the table rows that begin with a label."""
    lines = [line.strip("| ").split("|") for line in card.splitlines() if line.startswith(f"| {label} |")]
    return [[cell.strip() for cell in line] for line in lines]


def test_the_head_is_yaml_for_the_hub(config):
    _, head, text = model_card(config).split("---\n", 2)
    assert yaml.safe_load(head) == {
        "license": "mit",
        "library_name": "posegraph",
        "tags": ["human-motion-prediction", "motion-forecasting", "graph-neural-network", "skeleton", "pytorch"],
        "datasets": ["cmu"],
        "metrics": ["mpjpe"],
    }
    assert text.startswith(f"\n# {REFERENCE}\n\n{registry.info('traj-gcn').summary}\n")


def test_a_folder_and_its_settings_give_the_same_card(config, stand_in):
    assert model_card(stand_in / REFERENCE) == model_card(config)
    assert model_card(str(stand_in / REFERENCE)) == (stand_in / REFERENCE / "README.md").read_text()


def test_the_example_in_the_card_runs(config, shipped):
    code = section(model_card(config), "Use").partition("```python\n")[2].partition("```")[0]
    namespace: dict[str, Any] = {}
    exec(code, namespace)
    assert namespace["model"].record["packed"]["reference"] == REFERENCE


def test_it_says_what_the_weights_were_made_from(config):
    data = section(model_card(config), "Data")
    training = config["record"]["training"]
    assert f"* Training clips, {len(training['train'])}: {', '.join(training['train'])}." in data
    assert f"* Held out for validation, 2: {', '.join(training['val'])}." in data
    assert "Files of the benchmark that were not there: train/basketball/basketball_1.txt, " in data
    making = section(model_card(config), "Training")
    assert f"epoch {training['epoch']} of {training['epochs']}" in making
    assert "lowest validation error on held-out training clips. Test clips had no part in it." in making
    assert "```bash\n" + "\n".join(COMMANDS) + "\n```" in making


def test_it_has_the_note_of_the_maker(config):
    assert "* Chosen by lot." not in model_card(config)
    config["record"]["packed"]["note"] = "Chosen by lot."
    assert "* Chosen by lot.\n" in section(model_card(config), "Training")


def test_the_frame_rate_caveat_has_the_true_times(config):
    card = model_card(config)
    assert "papers label those below 80, 160, 320, 400, 560, 1000 ms." in card
    assert (
        "The labels assume 25 frames a second. The data has 60: the true times are 33, 67, 133, 167, 233, 417 ms."
        in card
    )
    assert 'their "1000 ms" is 417 ms' in section(card, "Limits")


def test_several_seeds_are_a_mean_and_a_spread(config):
    runs = config["record"]["packed"]["runs"]
    tests = [run["test"] for run in runs]
    seeds = section(model_card(config), "Seeds")
    mean, spread = sum(tests) / 2, abs(tests[0] - tests[1]) / 2**0.5
    assert f"2 runs, test error {mean:.2f} ± {spread:.2f} mm (mean and standard deviation)." in seeds
    kept = min(runs, key=lambda run: run["validation"])
    assert [row[0] for seed in "01" for row in rows(seeds, seed) if row[-1] == "x"] == [str(kept["seed"])]
    assert config["record"]["training"]["seed"] == kept["seed"]


def test_a_single_seed_says_so(config):
    config["record"]["packed"]["runs"] = config["record"]["packed"]["runs"][:1]
    seed = config["record"]["training"]["seed"]
    assert f"One run, seed {seed}. How far other seeds differ is not known." in model_card(config)


def test_a_training_run_has_a_card_without_results(stand_in_runs):
    card = model_card(stand_in_runs[0])
    assert "# traj-gcn\n" in card
    assert "Not evaluated on test clips." in card
    assert "* Validation error: " in section(card, "Training")
    assert "Made by" not in card
    assert "registry.build" not in card


@pytest.mark.parametrize("record", [{}, {"training": "by hand"}, {"seed": 4}])
@pytest.mark.parametrize(("skeleton", "metric"), [("h36m", "mpjpe"), ("h36m-angles", "euler-angle-error")])
def test_any_checkpoint_has_a_card(tmp_path, record, skeleton, metric):
    model = registry.build("zero-velocity", skeleton=skeleton)
    card = model_card(checkpoint.save_checkpoint(model, tmp_path, record=record))
    head = yaml.safe_load(card.split("---\n", 2)[1])
    assert (head["license"], head["metrics"], "datasets" in head) == ("other", [metric], False)
    assert "The checkpoint does not record what the weights were trained on." in card
    assert "The checkpoint does not record how the weights were made." in card
    assert "frames a second" not in card


def test_weights_from_human36m_are_bound_by_its_terms(config):
    config["record"]["training"]["dataset"] = "h36m"
    del config["record"]["packed"]
    card = model_card(config)
    assert "license: other\n" in card
    assert "does not allow handing the data on" in section(card, "Data")
    assert "terms of the data" in section(card, "Licence")


def test_data_of_ones_own_has_no_terms_of_others(config):
    config["record"]["training"]["dataset"] = "mine"
    del config["record"]["packed"]
    card = model_card(config)
    assert "Data set `mine`.\n" in card
    assert "laboratory" not in card


def test_a_folder_without_checkpoint_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="found a folder without config"):
        model_card(tmp_path)


INJECTED = "cmu\nlicense: apache-2.0\n---\n# Buy [this](http://x) `now` <img src=x> | yes"


def texts(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where in nested notes the texts are."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, own in items:
        yield from [(*path, key)] if isinstance(own, str) else texts(own, (*path, key))


def test_no_text_of_a_checkpoint_adds_a_field_a_heading_or_markup(config):
    """Every text that a maker may choose, one after the other."""
    config["record"]["packed"]["note"] = "x"
    shown = 0
    for *path, last in texts(config["record"]):
        changed = copy.deepcopy(config)
        place = changed["record"]
        for key in path:
            place = place[key]
        place[last] = INJECTED
        try:
            card = model_card(changed)
        except (CheckpointError, UnknownNameError, ConfigError):
            continue  # of a fixed vocabulary
        shown += "Buy" in card
        _, head, text = card.split("---\n", 2)
        fields = yaml.safe_load(head)
        assert (next(iter(fields)), fields["license"] in ("mit", "other")) == ("license", True)
        assert "license: apache" not in head.replace('"cmu license: apache', "")
        assert "\n# Buy" not in text
        outside = re.sub(r"```[^`]*```|`[^`\n]*`", "", text)
        assert not re.search(r"(?<!\\)\[this|(?<!\\)<img", outside)
    assert shown > 10


@pytest.mark.parametrize(
    "spoil",
    [
        lambda config: config.pop("record"),
        lambda config: config.update(record=[]),
        lambda config: config.update(num_parameters="many"),
        lambda config: config.update(skeleton=3),
        lambda config: config.update(weights="float16"),
        lambda config: config["record"]["training"].update(recipe=[1]),
        lambda config: config["record"]["training"].update(train=3),
        lambda config: config["record"]["packed"].update(reference="a/b/c"),
        lambda config: config["record"]["packed"].update(evaluation=[3]),
        lambda config: config["record"]["packed"].update(runs=[1, 2]),
        lambda config: config["record"]["packed"].update(bundled={"result": 3}),
        lambda config: config["record"]["packed"]["evaluation"][0].pop("zero_velocity"),
    ],
)
def test_a_record_that_is_damaged_is_reported(config, spoil):
    spoil(config)
    with pytest.raises(CheckpointError, match=r"config\.json: the checkpoint is damaged: "):
        model_card(config)
