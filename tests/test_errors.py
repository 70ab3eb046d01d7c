from __future__ import annotations

import pickle

import pytest

from posegraph import errors


@pytest.mark.parametrize(
    ("error", "builtin"),
    [
        (errors.ShapeError, ValueError),
        (errors.ConfigError, ValueError),
        (errors.UnknownNameError, LookupError),
        (errors.SkeletonError, ValueError),
        (errors.DataError, ValueError),
        (errors.CheckpointError, ValueError),
        (errors.MissingDependencyError, ImportError),
    ],
)
def test_errors_are_both_ours_and_builtin(error, builtin):
    assert issubclass(error, errors.PosegraphError)
    assert issubclass(error, builtin)


def test_every_error_is_public():
    defined = {
        name
        for name, value in vars(errors).items()
        if isinstance(value, type) and value.__module__ == "posegraph.errors"
    }
    assert defined == set(errors.__all__)


def test_shape_error_says_expected_actual_and_remedy():
    error = errors.ShapeError("poses", "(batch, 3)", [4, 2], "Transpose them.")
    assert str(error) == "poses: expected (batch, 3), got (4, 2). Transpose them."
    assert (error.what, error.expected, error.actual, error.remedy) == (
        "poses",
        "(batch, 3)",
        [4, 2],
        "Transpose them.",
    )
    assert "got 3 scales." in str(errors.ShapeError("outputs", "2 scales", "3 scales", ""))


def test_unknown_name_error_suggests_the_nearest_name():
    error = errors.UnknownNameError("model", "trajgcn", ["msrgcn", "traj-gcn"])
    assert str(error) == "unknown model 'trajgcn'. Did you mean 'traj-gcn'? Known: msrgcn, traj-gcn."
    assert (error.kind, error.name, error.known) == ("model", "trajgcn", ["msrgcn", "traj-gcn"])


def test_unknown_name_error_suggests_nothing_far_off():
    assert str(errors.UnknownNameError("model", "zzz", ["msrgcn"])) == "unknown model 'zzz'. Known: msrgcn."
    assert str(errors.UnknownNameError("model", 3, [])) == "unknown model 3. Known: none."


@pytest.mark.parametrize(
    "error",
    [
        errors.ShapeError("poses", "(batch, 3)", (4, 2), "Transpose them."),
        errors.UnknownNameError("model", "trajgcn", ["msrgcn", "traj-gcn"]),
        errors.DataError("walk.txt, line 3: expected a number."),
    ],
)
def test_errors_cross_process_borders(error):
    again = pickle.loads(pickle.dumps(error))
    assert type(again) is type(error)
    assert (str(again), vars(again)) == (str(error), vars(error))


def test_plugin_warnings_are_for_users():
    assert issubclass(errors.PluginWarning, UserWarning)
