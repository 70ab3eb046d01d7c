from __future__ import annotations

import importlib
import sys

import pytest

from posegraph._support.registry import Registry
from posegraph.errors import ConfigError, PluginWarning, UnknownNameError


class Entry:
    """A plugin as the system describes it."""

    dist = type("Dist", (), {"name": "a-plugin"})

    def __init__(self, name, load):
        self.name, self.load = name, load


@pytest.fixture
def colours(tmp_path, monkeypatch):
    """A registry whose built-in names lie in a package of two files."""
    package = tmp_path / "palette"
    package.mkdir()
    (package / "__init__.py").write_text(
        "from posegraph._support.registry import Registry\n"
        "COLOURS = Registry('colour', group='tests.colours', package='palette')\n"
    )
    for name in ("red", "green"):
        text = f"from palette import COLOURS\nCOLOURS.add({name!r}, {len(name)}, owner=__name__)\n"
        (package / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    yield importlib.import_module("palette").COLOURS
    for module in [name for name in sys.modules if name.partition(".")[0] == "palette"]:
        del sys.modules[module]


def test_a_file_of_the_package_is_an_entry(colours: Registry[int]):
    assert colours.get("red") == 3
    assert colours.names() == ["green", "red"]
    assert colours.names("g*") == ["green"]


def test_names_are_added_and_removed(colours: Registry[int]):
    colours.add("blue", 4, owner="mine")
    with pytest.raises(ConfigError, match=r"colour 'blue' is registered already, by mine\. Choose"):
        colours.add("blue", 5, owner="yours")
    colours.remove("blue")
    with pytest.raises(UnknownNameError, match=r"unknown colour 'gren'\. Did you mean 'green'\? Known: green, red"):
        colours.remove("gren")


def test_plugins_are_loaded_and_broken_ones_left_out_with_one_warning(colours: Registry[int], monkeypatch):
    def broken():
        colours.add("half", 1, owner="broken")
        raise RuntimeError("no")

    entries = [
        Entry("good", lambda: colours.add("pink", 4, owner="good")),
        Entry("bad", broken),
    ]
    monkeypatch.setattr("posegraph._support.registry.entry_points", lambda group: entries if "colours" in group else [])
    message = r"the colour plugin 'bad' of a-plugin could not be loaded and is left out: RuntimeError: no\. Update or"
    with pytest.warns(PluginWarning, match=message) as warned:
        assert colours.names() == ["green", "pink", "red"]
    assert len(warned) == 1
