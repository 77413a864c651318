import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from podium import step
from podium.step import Progress

SCRIPTS = ROOT / "workflow/scripts"
STEP = '''
import os, signal
from pathlib import Path
from typing import Any
from podium.step import BadInput, Output, run

def copy(
    source: Path,
    more: list[Path],
    copied: Output,
    also: Output,
    *,
    times: int,
    loud: bool,
    layout: dict[str, Any] | None,
    then: str | None,
    threads: int,
) -> None:
    """Copy a text so many times.

    The first line stands above this one.
    """
    text = "".join(path.read_text() for path in [source, *more]) * times
    copied.write_text(text.upper() if loud else text)
    also.write_text(f"{layout} {os.environ['OMP_NUM_THREADS']} {os.environ['TF_NUM_INTRAOP_THREADS']}")
    if then == "refuse":
        raise BadInput("a.csv: line 3: the label is empty")
    if then == "fail":
        raise ValueError("something else")
    if then == "die":
        os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    run(copy)
'''


def call(folder: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    """Runs the step by hand in the folder, on two small files."""
    for name, text in [("copy.py", STEP), ("a.txt", "a"), ("b.txt", "b")]:
        (folder / name).write_text(text)
    files = ["--source", "a.txt", "--more", "b.txt", "b.txt", "--copied", "out/copied.txt", "--also", "out/also.txt"]
    command = [sys.executable, "copy.py", *files, "--times", "2", "--loud", "--threads", "3", *arguments]
    environment = os.environ | {"PYTHONPATH": str(SCRIPTS)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def outputs(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in (folder / "out").iterdir()}


def test_flags_carry_the_types_of_the_signature(tmp_path: Path) -> None:
    done = call(tmp_path, "--layout", "{train: {path: a.csv}, size: 1.5}")
    assert done.returncode == 0, done.stderr
    layout = {"train": {"path": "a.csv"}, "size": 1.5}
    assert outputs(tmp_path) == {"copied.txt": "ABBABB", "also.txt": f"{layout} 3 3"}
    started, ended = done.stderr.splitlines()
    assert started == "[copy] started"
    assert ended.startswith("[copy] done in ")


def test_a_later_flag_turns_a_switch_off_and_optional_settings_may_be_left_out(tmp_path: Path) -> None:
    assert call(tmp_path, "--no-loud", "--more").returncode == 0
    assert outputs(tmp_path) == {"copied.txt": "aa", "also.txt": "None 3 3"}


@pytest.mark.parametrize("bad", [["--times", "many"], ["--layout", "{"], ["--unknown", "1"]])
def test_a_wrong_flag_is_refused_before_anything_is_written(tmp_path: Path, bad: list[str]) -> None:
    done = call(tmp_path, *bad)
    assert done.returncode == 2
    assert bad[0] in done.stderr.splitlines()[-1]
    assert not (tmp_path / "out").exists()


def test_help_says_what_the_step_does_and_what_each_flag_is(tmp_path: Path) -> None:
    text = " ".join(call(tmp_path, "--help").stdout.split())
    assert "Copy a text so many times. The first line stands above this one." in text
    for said in [
        "--source SOURCE input file",
        "--more [MORE ...] input files",
        "--copied COPIED output file",
        "--times TIMES setting",
        "--loud, --no-loud setting",
        "--layout YAML setting, such as '{a: 1}'",
    ]:
        assert said in text


def test_bad_input_is_one_line_without_a_traceback(tmp_path: Path) -> None:
    done = call(tmp_path, "--then", "refuse")
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["[copy] started", "[copy] error: a.csv: line 3: the label is empty"]


def test_any_other_failure_is_said_and_comes_with_its_traceback(tmp_path: Path) -> None:
    done = call(tmp_path, "--then", "fail")
    assert done.returncode == 1
    assert "[copy] failed: ValueError: something else" in done.stderr.splitlines()
    assert 'raise ValueError("something else")' in done.stderr


@pytest.mark.parametrize("then", ["refuse", "fail"])
@pytest.mark.parametrize("before", [{}, {"copied.txt": "old", "also.txt": "older"}], ids=["first", "again"])
def test_a_step_that_fails_leaves_its_outputs_as_they_were(tmp_path: Path, then: str, before: dict[str, str]) -> None:
    (tmp_path / "out").mkdir()
    for name, text in before.items():
        (tmp_path / "out" / name).write_text(text)
    assert call(tmp_path, "--then", then).returncode == 1
    assert outputs(tmp_path) == before


def test_a_step_that_is_killed_leaves_its_outputs_as_they_were_and_can_run_again(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/copied.txt").write_text("old")
    assert call(tmp_path, "--then", "die").returncode == -signal.SIGKILL
    assert (tmp_path / "out/copied.txt").read_text() == "old"
    assert not (tmp_path / "out/also.txt").exists()
    assert call(tmp_path).returncode == 0
    assert outputs(tmp_path) == {"copied.txt": "ABBABB", "also.txt": "None 3 3"}


def test_progress_says_how_far_it_is_and_how_far_it_came(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "podium")
    monkeypatch.setattr(step, "SECONDS_BETWEEN_LINES", 0.0)
    with Progress(2500, "photos") as progress:
        progress.update(1200)
        progress.update(1300)
    assert [message.rpartition(", ")[0] for message in caplog.messages] == [
        "1,200 of 2,500 photos",
        "2,500 of 2,500 photos",
        "2,500 of 2,500 photos",
    ]
    assert all(message.endswith("/s") for message in caplog.messages)


def test_progress_says_nothing_more_once_the_step_failed(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "podium")
    with pytest.raises(ZeroDivisionError), Progress(1, "photos") as progress:
        progress.update(1 // 0)
    assert caplog.messages == []
