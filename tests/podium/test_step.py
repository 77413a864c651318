import hashlib
import logging
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import pytest
from conftest import ROOT

from podium import digests, step

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


@pytest.mark.parametrize("level", [logging.INFO, logging.WARNING, logging.ERROR])
def test_a_line_for_a_person_is_one_line_whatever_stands_in_a_name(level: int, capfd: pytest.CaptureFixture) -> None:
    name = "one\ntwo\rthree\t\x1b[31mfour\x85\u2028é東.jpg"
    handler = step._handler(2, logging.DEBUG, "[index] %(message)s")
    handler.emit(logging.makeLogRecord({"name": "podium", "levelno": level, "msg": "%s is gone", "args": (name,)}))
    said = r"[index] one\ntwo\rthree\t\x1b[31mfour\x85\u2028é東.jpg is gone"
    assert capfd.readouterr().err == f"{said}\n"


def test_a_traceback_keeps_its_lines(capfd: pytest.CaptureFixture) -> None:
    handler = step._handler(2, logging.DEBUG, "%(message)s")
    for record in ({"name": "podium", "levelno": logging.DEBUG}, {"name": "py.warnings", "levelno": logging.WARNING}):
        handler.emit(logging.makeLogRecord({**record, "msg": "Traceback:\n  a line"}))
    assert capfd.readouterr().err == "Traceback:\n  a line\n" * 2


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


def test_by_hand_a_digest_file_that_is_there_is_made_anew(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/copied.txt.sha256").write_text("of an older text\n")
    assert call(tmp_path).returncode == 0
    assert set(outputs(tmp_path)) == {"copied.txt", "also.txt", "copied.txt.sha256"}
    assert outputs(tmp_path)["copied.txt.sha256"] == hashlib.sha256(b"ABBABB").hexdigest() + "\n"


@pytest.mark.parametrize("moves", range(6))
def test_a_digest_file_never_belongs_to_another_content(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moves: int
) -> None:
    """Whatever a kill cuts short: here the step ends before each of its moves, of which there are five."""
    paths = [tmp_path / "a", tmp_path / "folder"]
    job = SimpleNamespace(output=[f"{path}.sha256" for path in paths])

    def made(text: str) -> dict[Path, Path]:
        partial = {path.with_name(f".partial-{path.name}"): path for path in paths}
        for each in partial:
            each.mkdir() if each.name.endswith("folder") else None
            (each / "inner" if each.is_dir() else each).write_text(text)
        return partial

    step._put_all(made("old"), job)
    left, replace = [moves], Path.replace

    def dying(path: Path, target: Path) -> Path:
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", dying)
    with pytest.raises(KeyboardInterrupt) if moves < 5 else nullcontext():
        step._put_all(made("new"), job)
    there = [path for path in paths if Path(f"{path}.sha256").exists()]
    assert all(Path(f"{path}.sha256").read_text() == f"{digests.digest(path)}\n" for path in there)
    assert len(there) == max(0, moves - 3)


SAID = [
    "WARNING: All log messages before absl::InitializeLog() is called are written to STDERR",
    "I0000 00:00:1795528600.053805   12143 port.cc:153] oneDNN custom operations are on.",
    "W0000 00:00:1795528600.053805   12143 gpu_device.cc:2342] Cannot dlopen some GPU libraries.",
    "E0000 00:00:1795528603.445141 12143 cuda_platform.cc:52] failed call to cuInit: INTERNAL: UNKNOWN ERROR (303)",
    "E0000 00:00:1795528603.445141   12143 cuda_dnn.cc:9] could not load the library",
    "F0000 00:00:1795528603.445141   12143 cpu_feature_guard.cc:78] compiled to use AVX instructions",
    "I am a line of ours",
]


@pytest.mark.parametrize(("level", "kept"), [(None, SAID[4:]), ("0", SAID)], ids=["as it comes", "asked for"])
def test_of_what_tensorflow_says_as_it_starts_only_errors_get_through(level: str | None, kept: list[str]) -> None:
    """Even where the process crashes right behind them."""
    code = (
        "import os, sys; from podium import step; step.without_chatter(); os.write(2, sys.argv[1].encode()); os.abort()"
    )
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    environment |= {"PYTHONPATH": str(SCRIPTS)} | ({"TF_CPP_MIN_LOG_LEVEL": level} if level else {})
    done = subprocess.run(
        [sys.executable, "-c", code, "\n".join(SAID)], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == -signal.SIGABRT
    assert done.stderr.splitlines() == kept


FOLDER = '''
import os, signal
from pathlib import Path
from podium.step import BadInput, Output, run

def fill(filled: Output, also: Output, *, names: list[str], then: str | None) -> None:
    """Fill a folder with files."""
    for name in names:
        (filled / "1").mkdir(parents=True, exist_ok=True)
        (filled / "1" / name).write_text(name)
    also.write_text("also")
    if then == "refuse":
        raise BadInput("no more")
    if then == "die":
        os.kill(os.getpid(), signal.SIGKILL)

if __name__ == "__main__":
    run(fill)
'''


def filling(folder: Path, *arguments: str) -> int:
    (folder / "fill.py").write_text(FOLDER)
    command = [sys.executable, "fill.py", "--filled", "out/filled", "--also", "out/also.txt", "--names", *arguments]
    environment = os.environ | {"PYTHONPATH": str(SCRIPTS)}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, check=False).returncode


def tree(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.parametrize("before", [False, True], ids=["first", "again"])
def test_an_output_that_is_a_folder_is_whole_or_as_it_was(tmp_path: Path, before: bool) -> None:
    old = ["also.txt", "filled/1/a"] if before else []
    if before:
        assert filling(tmp_path, "a") == 0
        assert tree(tmp_path / "out") == old
    assert filling(tmp_path, "b", "c", "--then", "refuse") == 1
    assert (tree(tmp_path / "out") if (tmp_path / "out").exists() else []) == old
    assert filling(tmp_path, "b", "c", "--then", "die") == -signal.SIGKILL
    assert [path for path in tree(tmp_path / "out") if not path.startswith(".partial-")] == old
    # Nothing that a killed step or the run before left is among what comes out.
    assert filling(tmp_path, "d") == 0
    assert tree(tmp_path / "out") == ["also.txt", "filled/1/d"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["also.txt", "filled"]


APPEND = """
from podium.step import BadInput, Growing, run

def append(grown: Growing, *, word: str, then: str | None) -> None:
    grown.write_text((grown.read_text() if grown.exists() else "") + word)
    if then:
        raise BadInput("no more")

if __name__ == "__main__":
    run(append)
"""


def test_an_output_that_grows_begins_with_what_it_held_and_a_failure_adds_nothing(tmp_path: Path) -> None:
    (tmp_path / "append.py").write_text(APPEND)

    def appended(*arguments: str) -> str:
        command = [sys.executable, "append.py", "--grown", "out/grown.txt", "--word", *arguments]
        subprocess.run(command, cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(SCRIPTS)}, check=False)
        return (tmp_path / "out/grown.txt").read_text()

    assert [appended("a"), appended("b"), appended("c", "--then", "fail"), appended("d")] == ["a", "ab", "ab", "abd"]
    assert tree(tmp_path / "out") == ["grown.txt"]


COUNT = '''
import os, signal
from pathlib import Path
from podium.step import Output, Resume, run

def count(source: Path, counted: Output, *, until: int, resume: Resume) -> None:
    """Count, and say from where."""
    resume.mkdir(exist_ok=True)
    done = int((resume / "at").read_text()) if (resume / "at").exists() else 0
    for number in range(done, until):
        (resume / "at").write_text(str(number + 1))
        if os.environ.get("DIE_AT") == str(number + 1):
            os.kill(os.getpid(), signal.SIGKILL)
        if os.environ.get("FAIL_AT") == str(number + 1):
            raise ValueError("no more")
    counted.write_text(f"from {done} to {until}")

if __name__ == "__main__":
    run(count)
'''


@pytest.fixture
def counter(tmp_path: Path) -> Path:
    """A folder with a step that counts, beside a copy of the scripts, and its input."""
    shutil.copytree(SCRIPTS, tmp_path / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "scripts/count.py").write_text(COUNT)
    (tmp_path / "a.txt").write_text("a")
    return tmp_path


def counting(folder: Path, *arguments: str, until: int = 6, **environment: str) -> int:
    flags = ["--source", "a.txt", "--counted", "out/counted.txt", "--until", str(until), *arguments]
    # Without -B a file that changes within a second may keep its old bytecode.
    command = [sys.executable, "-B", "scripts/count.py", *flags]
    return subprocess.run(
        command, cwd=folder, env=os.environ | environment, capture_output=True, check=False
    ).returncode


def left(folder: Path) -> list[str]:
    """What stands beside the outputs, but for files that are not whole."""
    return sorted(path.name for path in (folder / "out").iterdir() if not path.name.startswith(".partial"))


@pytest.mark.parametrize(("how", "code"), [("DIE_AT", -signal.SIGKILL), ("FAIL_AT", 1)])
def test_a_step_goes_on_where_it_was_killed_or_failed(counter: Path, how: str, code: int) -> None:
    assert counting(counter, **{how: "2"}) == code
    (kept,) = left(counter)
    assert kept.startswith(".count-")
    assert counting(counter, **{how: "4"}) == code
    assert left(counter) == [kept]
    assert counting(counter) == 0
    assert left(counter) == ["counted.txt"]
    assert (counter / "out/counted.txt").read_text() == "from 4 to 6"
    assert counting(counter) == 0
    assert (counter / "out/counted.txt").read_text() == "from 0 to 6"


def another_input(folder: Path) -> None:
    (folder / "a.txt").write_text("another")


def another_code(folder: Path) -> None:
    path = folder / "scripts/podium/networks/training.py"
    path.write_text(path.read_text() + "\n\nANOTHER = 1\n")


@pytest.mark.parametrize("change", [another_input, another_code, None], ids=["input", "code", "setting"])
def test_what_another_input_setting_or_code_left_is_not_gone_on_with(
    counter: Path, change: Callable[[Path], None] | None
) -> None:
    assert counting(counter, DIE_AT="3") == -signal.SIGKILL
    (before,) = left(counter)
    if change:
        change(counter)
    until = 6 if change else 5
    assert counting(counter, until=until, DIE_AT="2") == -signal.SIGKILL
    (after,) = left(counter)
    assert after != before
    assert counting(counter, until=until) == 0
    assert (counter / "out/counted.txt").read_text() == f"from 2 to {until}"


def test_the_folder_is_no_flag(counter: Path) -> None:
    command = [sys.executable, "scripts/count.py", "--help"]
    said = subprocess.run(command, cwd=counter, capture_output=True, text=True, check=True).stdout
    assert "--until" in said
    assert "resume" not in said.lower()
    assert counting(counter, "--resume", "folder") == 2


def test_the_memory_limit_of_the_rule_reaches_the_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("TF_NUM_INTRAOP_THREADS", "OMP_NUM_THREADS", "PODIUM_GPU_MEMORY"):
        monkeypatch.setenv(name, "before")
    step._limit_libraries(None, 0)
    assert os.environ["PODIUM_GPU_MEMORY"] == os.environ["OMP_NUM_THREADS"] == "before"
    step._limit_libraries(3, 512)
    assert os.environ["PODIUM_GPU_MEMORY"] == "512"
    assert os.environ["OMP_NUM_THREADS"] == os.environ["TF_NUM_INTRAOP_THREADS"] == "3"
