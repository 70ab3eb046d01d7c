from __future__ import annotations

import pytest

from posegraph.data.formats._asf import parse_asf
from posegraph.errors import DataError
from tests.data.formats.test_amc import ASF

WRONG_ASF = {
    r"expected an ASF file with a section :root, got none": (":root", ":rot"),
    r"expected angle deg or rad under :units, got 'grad'": ("angle deg", "angle grad"),
    r"expected a positive length under :units, got 0": ("length 0.45", "length 0"),
    r"line 13: expected begin, got 'id'": ("  begin\n     id 1", "     id 1"),
    r"expected end of the last bone, got none": ("    dof rx\n  end", "    dof rx"),
    r"expected a bone with a name, got none": ("     name lhip\n", ""),
    r"expected a direction of bone lhip, got none": ("     direction 1 -1 0\n", ""),
    r"expected three numbers, got 1 -1": ("direction 1 -1 0", "direction 1 -1"),
    r"expected every bone once with a finite length, got lhip": ("name lfemur", "name lhip"),
    r"expected three angles and an order such as XYZ, got 0 0 0 XXZ": (
        "axis 0 0 0 XYZ\n  end",
        "axis 0 0 0 XXZ\n  end",
    ),
    r"expected degrees of freedom among tx, ty, tz, rx, ry, rz, each once, got rx, rw": ("dof rx rz", "dof rx rw"),
    r"expected a parent that is listed before, got 'lfoot'": ("lfemur ltoes", "lfoot ltoes"),
    r"expected children that are bones, each once, got 'tail'": ("root lhip head", "root lhip tail"),
}


@pytest.mark.parametrize("message", WRONG_ASF)
def test_what_is_wrong_in_a_skeleton_is_said(message):
    text = ASF.replace(*WRONG_ASF[message], 1)
    if ":rot" in message or "section" in message:
        text = ASF.replace(":root", ":rot")
    with pytest.raises(DataError, match=message):
        parse_asf(text.encode(), "07.asf")
