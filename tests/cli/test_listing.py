from __future__ import annotations

import pytest

from posegraph import data, registry, weights
from posegraph.cli import listing
from posegraph.data import benchmarks, formats
from posegraph.skeleton import presets


def blocks(text: str) -> dict[str, list[str]]:
    """Lines below each heading."""
    found: dict[str, list[str]] = {}
    for line in text.splitlines():
        if not line.startswith(" "):
            found[line] = []
        else:
            found[list(found)[-1]].append(line.strip())
    return found


def test_the_source_says_what_the_registries_say():
    built_in = {kind: listing.built_in(folder) for kind, folder in listing._KINDS.items()}
    assert built_in == listing._registered()
    assert list(built_in["models"]) == sorted(built_in["models"], key=list(built_in["models"]).index)
    assert set(built_in["data sets"]) == set(data.names())


def test_everything_with_a_name_is_listed(command):
    shown = blocks(command("list").out)
    names = {kind: [line.split()[0] for line in lines] for kind, lines in shown.items()}
    assert names == {
        "models": registry.names(),
        "skeletons": presets.names(),
        "data sets": data.names(),
        "formats": formats.names(),
        "weights": weights.references(),
    }
    assert f"msrgcn-2l              {registry.info('msrgcn-2l').summary}" in shown["models"]
    assert benchmarks.get("cmu").summary in shown["data sets"][0]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [
        ("msrgcn-?l", ["models", "msrgcn-1l", "msrgcn-2l", "msrgcn-3l"]),
        ("graph-mixer", ["models", "graph-mixer", "weights", "graph-mixer/cmu"]),
        ("none*", []),
    ],
)
def test_a_pattern_leaves_the_rest_out(command, pattern, names):
    assert [line.split()[0] for line in command("list", pattern).out.splitlines()] == names


def test_with_plugins_the_registries_are_asked(command, monkeypatch):
    monkeypatch.setattr(listing, "entry_points", lambda group: [group])
    monkeypatch.setattr(listing, "built_in", None)
    assert registry.names()[0] in command("list").out
