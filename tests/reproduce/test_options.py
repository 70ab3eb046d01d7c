from __future__ import annotations

import pytest

from posegraph.errors import ConfigError
from posegraph.reproduce import Options


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seeds": 0}, "seeds: expected an integer of at least 1, got 0"),
        ({"budget": 0.0}, "budget: expected a time above zero in seconds, got 0.0"),
        ({"budget": -1.0}, "budget: expected a time above zero in seconds, got -1.0"),
    ],
)
def test_numbers_are_checked(settings, message):
    with pytest.raises(ConfigError, match=message):
        Options(**settings)


def test_all_rows_are_trained_to_the_end_by_default():
    options = Options()
    assert (options.rows, options.budget, dict(options.checkpoints), options.seeds) == ((), None, {}, 1)
