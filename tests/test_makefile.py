"""`make setup` installs what was asked for, once; a script stands in for Python and writes down what pip is told."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT

PYTHON = """#!/bin/sh
if [ "$2" = venv ]; then
  mkdir -p .venv/bin
  cp "$0" .venv/bin/python
elif [ "$2" = pip ]; then
  echo "$@" >> said.txt
fi
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("Makefile", "requirements.lock", "requirements-gpu.lock"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / "python").write_text(PYTHON)
    (tmp_path / "python").chmod(0o755)
    return tmp_path


def setup(folder: Path, *arguments: str, fails: bool = False) -> list[str]:
    """What pip installs and removes then; what `make` says where it fails."""
    (folder / "said.txt").write_text("")
    command = ["make", "setup", f"PYTHON={folder / 'python'}", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert (done.returncode != 0) == fails, done.stderr
    if fails:
        return done.stderr.splitlines()
    calls = [line.split() for line in (folder / "said.txt").read_text().splitlines()]
    return [call[-1] if "install" in call else " ".join(call[call.index("uninstall") :]) for call in calls]


def test_what_a_gpu_needs_is_installed_once_where_it_is_asked_for_and_removed_where_it_is_not(folder: Path) -> None:
    assert setup(folder) == ["requirements.lock"]
    assert setup(folder) == setup(folder, "GPU=0") == []
    assert setup(folder, "GPU=1") == ["requirements-gpu.lock"]
    assert setup(folder, "GPU=1") == setup(folder) == []  # `make` and `make test` leave it as it is
    (folder / "requirements-gpu.lock").touch()
    assert setup(folder) == ["requirements-gpu.lock"]
    installed, removed = setup(folder, "GPU=0")
    assert installed == "requirements.lock"
    assert removed.startswith("uninstall --quiet --yes nvidia-cublas-cu12 nvidia-")
    assert "tensorflow" not in removed
    assert setup(folder) == []
    assert "GPU is 1 or 0, not yes" in setup(folder, "GPU=yes", fails=True)[0]


def test_the_two_locks_differ_in_nvidia_s_packages_alone() -> None:
    plain, gpu = (
        set(re.findall(r"^[\w.-]+==.*$", (ROOT / f"requirements{kind}.lock").read_text(), re.M))
        for kind in ("", "-gpu")
    )
    assert len(plain) > 100
    assert not plain - gpu
    more = {line.split("==")[0] for line in gpu - plain}
    assert {"nvidia-cudnn-cu12", "nvidia-cublas-cu12"} <= more
    assert all(name.startswith("nvidia-") for name in more)
