import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from podium.plan import fingerprint

Change = Callable[[str, str, str], None]


@pytest.fixture
def scripts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A copy of the scripts, which the fingerprints are then taken of."""
    copy = shutil.copytree(fingerprint.SCRIPTS, tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    monkeypatch.setattr(fingerprint, "SCRIPTS", copy)
    forget()
    yield copy
    forget()


def forget() -> None:
    """What is kept for the life of a process, in which code does not change otherwise."""
    fingerprint.fingerprint.cache_clear()
    fingerprint._read.cache_clear()


def digest(script: str, *also: str) -> str:
    forget()
    return fingerprint.fingerprint(script, also)


def change(path: Path, pattern: str, new: str) -> None:
    text, count = re.subn(pattern, new, path.read_text(), count=1, flags=re.MULTILINE)
    assert count == 1
    path.write_text(text)


def test_it_depends_on_the_code_and_not_on_where_it_lies(scripts: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = digest("index")
    monkeypatch.undo()
    assert digest("index") == there
    assert re.fullmatch("[0-9a-f]{16}", there)
    assert scripts != fingerprint.SCRIPTS


@pytest.mark.parametrize("name", ["index.py", "podium/photos/images.py"])
@pytest.mark.parametrize(
    "pattern, new",
    [
        (r'\A"""[^"]*"""', '"""Another docstring."""'),
        (r'\A"""[^"]*"""', ""),
        (r"^def ", "# A comment.\n\n\n\ndef "),
        (r"\Z", "\n\n# The end.\n"),
        (r'^(def \w+\([^"]*:\n)    """[^"]*"""', r'\1    """What it does."""'),
        (r", ", " ,  "),
    ],
    ids=["docstring", "no docstring", "comment", "end", "docstring of a function", "spaces"],
)
def test_it_is_blind_to_what_does_not_run(scripts: Path, name: str, pattern: str, new: str) -> None:
    before = digest("index")
    change(scripts / name, pattern, new)
    assert digest("index") == before


@pytest.mark.parametrize(
    "name, pattern, new",
    [
        ("index.py", r'reason == ""', 'reason == "x"'),
        ("podium/photos/images.py", r"65535", "65534"),  # imported by the script
        ("podium/progress.py", r"= 5\.0", "= 6.0"),  # imported by what it imports, too
        ("podium/archives/opening.py", r'"Thumbs\.db"', '"thumbs.db"'),
        ("podium/__init__.py", r"\Z", "\nVERSION = 1\n"),  # run by any import of the package
    ],
)
def test_it_changes_with_the_script_and_with_every_module_that_it_imports(
    scripts: Path, name: str, pattern: str, new: str
) -> None:
    before = digest("index")
    change(scripts / name, pattern, new)
    assert digest("index") != before


@pytest.mark.parametrize(
    "name", ["podium/photos/views.py", "podium/plan/plan.py", "podium/networks/cnn.py", "split.py"]
)
def test_it_does_not_change_with_a_module_that_is_not_imported(scripts: Path, name: str) -> None:
    before = digest("index")
    change(scripts / name, r"\Z", "\nADDED = 1\n")
    assert digest("index") == before


def test_it_changes_with_a_module_that_is_imported_inside_a_function(scripts: Path) -> None:
    change(scripts / "split.py", r"^    random = ", "    from podium.photos import views\n\n    random = ")
    before = digest("split")
    change(scripts / "podium/photos/views.py", r"^ZOOM = 0\.75", "ZOOM = 0.7")
    assert digest("split") != before


@pytest.mark.parametrize("name", ["podium/networks/cnn.py", "podium/networks/__init__.py"])
def test_it_changes_with_the_modules_that_are_named_beside(scripts: Path, name: str) -> None:
    before, named = digest("split"), digest("split", "podium.networks.cnn")
    assert named not in {before, digest("split", "podium.networks.head")}
    change(scripts / name, r"\Z", "\nADDED = 1\n")
    assert digest("split") == before
    assert digest("split", "podium.networks.cnn") != named


def test_steps_differ() -> None:
    steps = [path.stem for path in fingerprint.SCRIPTS.glob("*.py")]
    assert len({fingerprint.fingerprint(step) for step in steps}) == len(steps)
