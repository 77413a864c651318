"""The last lines of a run, from what Snakemake says of it; tests/test_workflow.py has them from real runs."""

import logging
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from conftest import TABLES, TASK, job, pets, plan

from podium.plan.plan import Plan
from podium.plan.summary import Once, changes, failures, last_words, results
from podium.predictions import history

pytestmark = pytest.mark.usefixtures("project")
SUBMISSIONS = {name: f"results/pets/{name}/submission.csv" for name in ("linear", "cnn", "record")}


def scored(one: Plan, name: str, **yardsticks: float) -> None:
    """Leaves what an experiment of today's settings was scored with."""
    figures = {
        yardstick: {"photos": 10, **{key: {"value": at, "low": at - 0.1, "high": at + 0.1} for key in TASK.metrics}}
        for yardstick, at in yardsticks.items()
    }
    path = Path(f"results/pets/{name}/scored.jsonl")
    path.parent.mkdir(parents=True, exist_ok=True)
    history.add(path, history.Scored(one.behind("pets", name), "photos", figures))


def test_each_submission_that_was_asked_for_is_named_with_its_score() -> None:
    one = plan()
    scored(one, "linear", out_of_fold=0.7, test=0.6)
    scored(one, "cnn")
    scored(one, "record", validation=0.8)
    made = set(SUBMISSIONS.values())
    assert results(one, made, made).splitlines() == [
        "results/pets/cnn/submission.csv   accuracy unknown, since no labelled photo was left out of training",
        "results/pets/linear/submission.csv   accuracy 0.700 (0.600 to 0.800) out of fold; "
        "0.600 (0.500 to 0.700) on the test photos",
        "results/pets/record/submission.csv   accuracy 0.800 (0.700 to 0.900) on the validation photos; "
        "also trained on photos without labels, as finetune and finetune_lite1 label them",
    ]
    assert results(one, {SUBMISSIONS["cnn"]}, made).startswith("results/pets/cnn/submission.csv   accuracy unknown")
    assert results(one, {"data/pets/index.csv"}, made) == ""


def test_where_the_test_photos_have_no_labels_it_is_said_what_to_expect_of_them() -> None:
    one, asked = plan(), {SUBMISSIONS["cnn"]}
    scored(one, "cnn", out_of_fold=0.7)
    path = Path("results/pets/cnn/scored.jsonl")
    (before,) = history.read(path)
    figures = {"accuracy": before.figures["out_of_fold"]["accuracy"] | {"test_low": 0.55, "test_high": 0.85}}
    history.add(path, history.Scored(before.settings, "photos", {"out_of_fold": {"photos": 10, **figures}}))
    said = "accuracy 0.700 (0.600 to 0.800) out of fold; 0.550 to 0.850 to be expected on the test photos"
    assert results(one, asked, asked) == f"{SUBMISSIONS['cnn']}   {said}\n"


def test_with_the_leaderboard_the_best_stands_first_and_lost_photos_are_counted() -> None:
    one, board, lost = plan(), "results/pets/leaderboard.csv", "data/pets/quarantine.csv"
    for name in SUBMISSIONS:
        scored(one, name, out_of_fold=0.7)
    Path(board).write_text("experiment,judged_by\nlinear,\nrecord,\ncnn,\n")
    Path("data/pets").mkdir(parents=True)
    Path(lost).write_text("id,file,label,split,reason\na,a,,test,cut\nb,b,x,train,cut\nc,c1,,test,cut\n")
    Path("data/pets/index.csv").write_text("id,file,label,split\nc,c2,,test\na,a,x,train\n")
    asked = {*SUBMISSIONS.values(), board}
    *experiments, all_figures, warning = results(one, asked, {*asked, lost}).splitlines()
    assert [line.split("/")[2] for line in experiments] == ["linear", "record", "cnn"]
    assert all_figures == f"{board}   all figures, with 95 % intervals"
    assert warning == f"{lost}   WARNING: 1 test photos cannot be read and got the training photos' label frequencies"


def test_another_file_of_an_experiment_never_passes_an_old_score_for_its_own() -> None:
    one, curves = plan(), "results/pets/cnn/curves.png"
    asked = {curves, "results/pets/cnn/robustness.csv"}
    scored(one, "cnn", out_of_fold=0.7)
    fits = f"{curves}, results/pets/cnn/robustness.csv   accuracy 0.700 (0.600 to 0.800) out of fold; "
    assert results(one, asked, asked) == f"{fits}{SUBMISSIONS['cnn']} was not requested\n"
    changed = plan(lambda config: config["defaults"].update(size=32))
    assert results(changed, {curves}, {curves}).startswith(f"{curves}   not scored with these settings; ")


def failed(name: str, text: str | None, *, age: float = 0.0, **wildcards: str) -> Any:
    log = Path(f"logs/{name}.log")
    log.parent.mkdir(exist_ok=True)
    if text is not None:
        log.write_text(text)
        os.utime(log, (1000 - age, 1000 - age))
    return SimpleNamespace(rule=SimpleNamespace(name=name), wildcards=list(wildcards.values()), log=[str(log)])


def test_each_failed_job_says_why_in_a_line_of_its_own() -> None:
    jobs = [
        failed(
            "index", "2026-11-24 13:00:00,1 started\n2026-11-24 13:00:00,2 error: a.csv: line 3\nlibrary: bye\n", c="p"
        ),
        failed(
            "train", "2026-11-24 13:00:00,1 failed: OSError: disk full; the log has the details: x\n", c="p", f="s0"
        ),
        failed("embed", "2026-11-24 13:00:00,1 started\n", c="p"),
        failed("pool", "2026-11-24 13:00:00,1 error: from the run before\n", age=99, c="p"),
        failed("split", None, c="p"),
    ]
    silent = "failed without a message, perhaps for lack of memory; see logs"
    assert failures(jobs, started=1000 - 1).splitlines() == [
        f"[embed p] {silent}/embed.log",
        "[index p] error: a.csv: line 3",
        f"[pool p] {silent}/pool.log",
        f"[split p] {silent}/split.log",
        "[train p s0] failed: OSError: disk full; the log has the details: x",
    ]


class Params(SimpleNamespace):
    """The params of a job by their names."""


def dry_run(*jobs: tuple[str, dict[str, str], dict[str, Any], list[Any]]) -> Any:
    """A workflow that would run these jobs: their rule, their wildcards, their params and those recorded before."""
    records, needed = {}, []
    for number, (rule, wildcards, params, before) in enumerate(jobs):
        file = f"made{number}"
        Path(file).touch()
        records[file] = SimpleNamespace(params=[repr(each) for each in before])
        name = SimpleNamespace(name=rule)
        needed.append(
            SimpleNamespace(
                rule=name,
                wildcards=SimpleNamespace(competition="pets", **wildcards),
                params=Params(**params),
                output=[file],
            )
        )
    return SimpleNamespace(
        is_main_process=True,
        dryrun=True,
        scheduler=SimpleNamespace(failed=set()),
        dag=SimpleNamespace(needrun_jobs=lambda **_: needed),
        persistence=SimpleNamespace(metadata=records.get),
    )


def would(rule: str, before: Plan, after: Plan, code: tuple[str, str] = ("a", "a"), **wildcards: str) -> Any:
    old, new = (each.settings(rule, job(**wildcards)) for each in (before, after))
    return rule, wildcards, {"settings": new, "code": code[1]}, [old, code[0]]


def test_a_dry_run_names_each_setting_that_changed_once_as_the_config_has_it() -> None:
    def change(config: dict[str, Any]) -> None:
        config["defaults"]["predict"]["views"] = ["plain"]
        config["experiments"]["cnn"]["folds"] = 3
        config["experiments"]["cnn"]["train"]["cnn"] = {"epochs": 4}

    before, after = plan(), plan(change)
    fits = [
        would(rule, before, after, experiment=name, fit=f"seed0-fold{fold}")
        for rule in ("train", "predict")
        for name in ("linear", "cnn")
        for fold in (0, 1)
    ]
    evaluated = [would("evaluate", before, after, experiment=name) for name in ("linear", "cnn")]
    said = [
        "    folds of cnn: 5 -> 3",
        "    predict.views of cnn, linear: [plain, zoom-flip] -> [plain]",
        "    train.cnn.epochs of cnn: 30 -> 4",
    ]
    title, *lines = last_words(after, dry_run(*fits, *evaluated)).splitlines()
    assert title == "What has changed since these files were made:"
    assert sorted(lines) == said
    # Of a fit that is asked for alone too, from what its own job was given.
    _, *lines = changes(after, dry_run(*fits)).splitlines()
    assert sorted(lines) == said[1:]


def test_a_dry_run_says_what_changed_of_the_competition_and_of_code(project: Path) -> None:
    before = plan()
    tables = {**TABLES, "test": {**TABLES["test"], "image": "more/{file}"}}
    pets(project, tables=tables, archive="pets.zip", submission={"form": "top", "top": 2}, metric="log_loss")
    after = plan(lambda config: config["index"].update(strict=False))
    jobs = [would(rule, before, after, code=("a", "b")) for rule in ("ask", "index")]
    jobs.append(would("leaderboard", before, after))
    jobs.append(("download", {}, {"settings": {}, "code": "c", "state": "new"}, [{}, "c", "old"]))
    _, *lines = changes(after, dry_run(*jobs)).splitlines()
    assert sorted(lines) == [
        "    archive: another content",
        "    code of ask, index changed",
        "    index.strict: true -> false",
        "    metric: accuracy -> log_loss",
        "    submission.form: labels -> top",
        "    submission.top: 5 -> 2",
        "    tables.test.image: test/{file} -> more/{file}",
    ]


def test_what_follows_from_a_member_is_said_of_the_member() -> None:
    def pair(config: dict[str, Any]) -> None:
        config["ensembles"]["pair"] = ["cnn", "linear"]

    def changed(config: dict[str, Any]) -> None:
        pair(config)
        config["experiments"]["cnn"]["folds"] = 3

    names = ("pair", "cnn")
    jobs = [would("evaluate", plan(pair), plan(changed), experiment=name) for name in names]
    assert changes(plan(changed), dry_run(*jobs)).splitlines()[1:] == ["    folds of cnn: 5 -> 3"]


def test_nothing_is_said_by_a_job_s_own_process_nor_of_what_runs_no_jobs() -> None:
    one = plan()
    train = would("train", one, plan(lambda config: config["defaults"].update(size=32)), experiment="cnn")
    for change in ({"is_main_process": False}, {"scheduler": None}):
        workflow = dry_run(train)
        workflow.__dict__.update(change)
        assert last_words(one, workflow) == ""
    broken_off = dry_run(train)
    broken_off.dryrun = False
    assert last_words(one, broken_off) == ""
    assert changes(one, dry_run(would("train", one, one, experiment="cnn"))) == ""


def test_the_table_of_jobs_passes_once() -> None:
    once = Once()
    table, line = logging.makeLogRecord({"stats": {"total": 1}}), logging.makeLogRecord({"msg": "done"})
    assert [once.filter(record) for record in (line, table, line, table, line)] == [True, True, True, False, True]


def test_the_keys_are_those_that_a_person_finds_in_the_files() -> None:
    known = set(plan().keys("pets", "cnn"))
    assert {"metric", "run", "size", "folds", "train.cnn.epochs", "predict.views", "device.precision"} <= known
    assert not any(name.startswith(("train.mlp", "robustness")) for name in known)
