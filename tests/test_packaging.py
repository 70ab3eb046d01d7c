"""The version, what the package carries, what the development environment pins, and what no file may hold."""

from __future__ import annotations

import ast
import glob
import itertools
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import posegraph

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "posegraph"
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
CONSTRAINTS = (ROOT / "constraints.txt").read_text(encoding="utf-8").split()

# In pieces, so that this file does not hold them itself.
FORBIDDEN = {
    "an absolute path of one machine": rb"(?<![\w.])/" + rb"(work|root)/",
    "a path outside the repository": rb"\.\./" + rb"shared",
    "the name of a tool that wrote it": rb"(?i)" + rb"clau" + rb"de|anthro" + rb"pic",
}
# Made by tools beside the sources; only looked at where git cannot tell them apart.
GENERATED = {".git", ".venv", "__pycache__", "build", "dist", "site", "runs", "htmlcov"}


def shipped_files() -> list[Path]:
    """Files that git keeps or would keep; without git, every file that is not generated."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    try:
        listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
        files = [ROOT / name for name in listed if name]
    except (OSError, subprocess.CalledProcessError):
        files = [path for path in ROOT.rglob("*") if not GENERATED & set(path.relative_to(ROOT).parts)]
    return [path for path in files if path.is_file()]


def requirements() -> list[Requirement]:
    """Direct requirements of the package and of all its extras."""
    project = PYPROJECT["project"]
    listed = [*project["dependencies"], *itertools.chain(*project["optional-dependencies"].values())]
    return [parsed for line in listed if (parsed := Requirement(line)).name != "posegraph"]


def test_the_version_is_a_literal_of_the_package() -> None:
    assert PYPROJECT["tool"]["setuptools"]["dynamic"]["version"] == {"attr": "posegraph._version.__version__"}
    body = ast.parse((PACKAGE / "_version.py").read_text(encoding="utf-8")).body
    values = [
        ast.literal_eval(node.value)
        for node in body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__version__"
    ]
    assert values == [posegraph.__version__]
    assert re.fullmatch(r"\d+\.\d+\.\d+", posegraph.__version__)


def test_the_changelog_starts_with_the_version() -> None:
    headings = re.findall(r"^## \[(.+?)\]", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), flags=re.MULTILINE)
    assert headings[0] == posegraph.__version__


def test_package_data_lists_every_file_that_is_not_python() -> None:
    patterns = PYPROJECT["tool"]["setuptools"]["package-data"]["posegraph"]
    matched = {PACKAGE / name for pattern in patterns for name in glob.glob(pattern, root_dir=PACKAGE, recursive=True)}
    data = {path for path in shipped_files() if path.is_relative_to(PACKAGE) and path.suffix != ".py"}
    assert data <= matched
    assert PACKAGE / "py.typed" in data
    assert any(path.is_relative_to(PACKAGE / "data" / "samples") for path in data), "no sample clip"


def test_package_data_covers_weights(stand_in: Path, tmp_path: Path) -> None:
    """As setuptools reads the patterns: `**` stands for any number of folders."""
    shutil.copytree(stand_in, tmp_path / "weights")
    patterns = PYPROJECT["tool"]["setuptools"]["package-data"]["posegraph"]
    matched = {name for pattern in patterns for name in glob.glob(pattern, root_dir=tmp_path, recursive=True)}
    files = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert len(files) == 3
    assert files <= matched


def test_constraints_are_exact_pins_without_hashes_or_hosts() -> None:
    assert [line for line in CONSTRAINTS if not re.fullmatch(r"[\w.-]+==[\w.]+", line)] == []
    names = [canonicalize_name(line.partition("==")[0]) for line in CONSTRAINTS]
    assert len(set(names)) == len(names)


def test_constraints_pin_every_requirement() -> None:
    pins = {canonicalize_name(name): version for name, _, version in (line.partition("==") for line in CONSTRAINTS)}
    unmet = [str(r) for r in requirements() if not r.specifier.contains(pins[canonicalize_name(r.name)])]
    assert unmet == []


def test_the_extra_dev_is_all_the_others() -> None:
    extras = PYPROJECT["project"]["optional-dependencies"]
    (everything,) = (Requirement(line) for line in extras["dev"])
    assert everything.extras == set(extras) - {"dev"}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_no_file_holds(what: str) -> None:
    pattern = re.compile(FORBIDDEN[what])
    holders = [str(path.relative_to(ROOT)) for path in shipped_files() if pattern.search(path.read_bytes())]
    assert not holders, f"{what} in: {', '.join(holders)}"


@pytest.mark.parametrize(
    ("what", "text"),
    [
        ("an absolute path of one machine", b'open("/' + b'work/x")'),
        ("a path outside the repository", b"see ../" + b"shared/x"),
        ("the name of a tool that wrote it", b"Clau" + b"de"),
    ],
)
def test_what_is_forbidden_is_found(what: str, text: bytes) -> None:
    assert re.search(FORBIDDEN[what], text)
    assert not re.search(FORBIDDEN[what], b"https://example.org/framework/ ./docs/ grassroot/ .github/")
