"""From an archive to its competition file, as on the command line."""

import io
import sys
from pathlib import Path

import pytest
import yaml
from conftest import competition, copy_project, photo, table, write_tar, write_zip

import begin as script
from podium.step import BadInput

GRADES = "are the numbers grades, in this order, instead of classes?"


@pytest.fixture
def home(project: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of which `begin` writes the competition files; the dry run is left out."""
    monkeypatch.setattr(script, "ROOT", project)
    return project


def begin(monkeypatch: pytest.MonkeyPatch, *arguments: object, said: str = "") -> None:
    monkeypatch.setattr(sys, "argv", ["begin.py", *map(str, arguments)])
    monkeypatch.setattr(sys, "stdin", io.StringIO(said))
    script.main()


def numbered(folder: Path) -> Path:
    """An archive whose labels are numbers: classes or grades."""
    files = [f"{n}.jpg" for n in range(20)]
    members = dict.fromkeys((f"train/{name}" for name in files), photo("chelsea", 0, 8))
    members |= {f"test/{name[:-4]}t.jpg": photo("chelsea", 0, 8) for name in files[:4]}
    members["train.csv"] = table(["file", "kind"], [[name, str(n % 5)] for n, name in enumerate(files)])
    members["sample.csv"] = table(["file", "kind"], [[f"{n}t.jpg", "0"] for n in range(4)])
    return write_zip(folder / "numbers.zip", members)


def competition_file(home: Path, name: str) -> Path:
    return home / f"config/competitions/{name}.yaml"


def test_the_file_that_is_written_passes_snakemakes_dry_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = copy_project(tmp_path / "copy")
    monkeypatch.setattr(script, "ROOT", copy)
    begin(monkeypatch, write_zip(tmp_path / "My leaves, 2020.zip", competition()))
    said = capsys.readouterr().out
    assert said.endswith("\nRun it: snakemake --cores all --config competition=My-leaves-2020\n")
    facts = yaml.safe_load(competition_file(copy, "My-leaves-2020").read_text())
    assert facts["tables"]["validation"]["path"] == "validation.csv"


@pytest.mark.parametrize("kind", ["zip", "tar.gz", "folder"])
def test_an_archive_of_any_kind_gives_the_same_file(home: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    path = home / ("leaves" if kind == "folder" else f"leaves.{kind}")
    if kind == "folder":
        for name, content in competition().items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(content)
    else:
        (write_zip if kind == "zip" else write_tar)(path, competition())
    begin(monkeypatch, path, "--no-run")
    facts = yaml.safe_load(competition_file(home, "leaves").read_text())
    assert facts.pop("archive") == str(path)
    assert facts["submission"] == {"sample": "sample_submission.csv"}
    assert facts["tables"]["test"] == {"path": "test.csv", "image": "test/{file}", "id": "file"}


def test_a_file_that_stands_is_overwritten_only_with_force(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    archive, path = numbered(home), competition_file(home, "numbers")
    path.write_text("mine")
    with pytest.raises(SystemExit) as refused:
        begin(monkeypatch, archive, "--no-run")
    assert refused.value.code == 1
    said = "begin: config/competitions/numbers.yaml: stands already; --force overwrites it, --name NAME takes another"
    assert capsys.readouterr().err == f"{said} name\n"
    assert path.read_text() == "mine"
    begin(monkeypatch, archive, "--no-run", "--name", "other", "--metric", "macro_f1")
    assert yaml.safe_load(competition_file(home, "other").read_text())["metric"] == "macro_f1"
    begin(monkeypatch, archive, "--no-run", "--force")
    assert yaml.safe_load(path.read_text())["metric"] == "accuracy"


@pytest.mark.parametrize(("said", "task"), [("y\n", "ordinal"), ("YES", "ordinal"), ("n\n", None), ("", None)])
def test_questions_are_answered_on_the_terminal(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], said: str, task: str | None
) -> None:
    begin(monkeypatch, numbered(home), "--no-run", "--ask", said=said)
    assert f"{GRADES} [y/N]" in capsys.readouterr().out
    facts = yaml.safe_load(competition_file(home, "numbers").read_text())
    assert facts["task"] == (task or "classification")
    assert facts["metric"] == ("quadratic_kappa" if task else "accuracy")


def test_a_doubt_is_told_and_its_other_answer_is_in_the_file(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    begin(monkeypatch, numbered(home), "--no-run")
    said = capsys.readouterr().out
    assert f"in doubt: {GRADES}" in said
    assert "note: no description in the archive names the metric: check `metric: accuracy`" in said
    assert "# task: ordinal" in competition_file(home, "numbers").read_text()


@pytest.mark.parametrize("before", [None, "mine"])
def test_nothing_is_left_behind_by_a_file_that_snakemake_refuses(
    home: Path, monkeypatch: pytest.MonkeyPatch, before: str | None
) -> None:
    archive, path = numbered(home), competition_file(home, "numbers")
    if before:
        path.write_text(before)
    there = sorted(path.parent.iterdir())

    def refused(name: str) -> None:
        assert competition_file(home, name).exists()
        raise BadInput("the file that was written is refused")

    monkeypatch.setattr(script, "_try", refused)
    with pytest.raises(SystemExit):
        begin(monkeypatch, archive, "--force")
    assert sorted(path.parent.iterdir()) == there
    assert before is None or path.read_text() == before


def test_an_archive_that_is_no_contest_leaves_no_file(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = sorted(competition_file(home, "x").parent.iterdir())
    for archive in (write_zip(home / "empty.zip", {}), home / "missing.zip", home / "config"):
        with pytest.raises(SystemExit):
            begin(monkeypatch, archive, "--no-run")
    assert sorted(competition_file(home, "x").parent.iterdir()) == there


def test_the_summary_is_short_even_of_a_table_of_many_columns(
    home: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    names = [f"a label with a rather long name {n}" for n in range(200)]
    members = {f"{part}/{n}.jpg": photo("chelsea", 0, 8) for part in ("train", "test") for n in range(6)}
    rows = [[str(n), *(str((n + k) % 3 % 2) for k in range(200))] for n in range(6)]
    members["train.csv"] = table(["id", *names], rows)
    members["sample_submission.csv"] = table(["id", *names], [[row[0], *["0"] * 200] for row in rows])
    begin(monkeypatch, write_zip(home / "wide.zip", members), "--no-run")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) <= 12
    assert max(map(len, lines)) <= 160
