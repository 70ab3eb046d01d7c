from __future__ import annotations

from typing import Any

import matplotlib.text
import pytest

from tests.viz.drawing import Label, Labels


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> Labels:
    """Every text that is drawn from here on, in order."""
    labels = Labels()
    original = matplotlib.text.Text.draw

    def record(self: Any, renderer: Any) -> None:
        if self.get_text() and self.get_visible():
            height, width = self.figure.bbox.height, self.figure.bbox.width
            box = self.get_window_extent(renderer)
            size = self.get_fontsize() * self.figure.dpi / 72 * 800 / max(width, 800)
            labels.append(Label(self.get_text(), box.extents, (width, height), size, self.get_fontweight()))
        original(self, renderer)

    monkeypatch.setattr(matplotlib.text.Text, "draw", record)
    return labels
