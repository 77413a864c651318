"""The last lines of a run: its results and scores, what failed, or why a dry run would run jobs again.

It reads Snakemake's workflow object, without importing Snakemake. No TensorFlow.
"""

import ast
import csv
import logging
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from podium import JUDGES
from podium.plan.plan import Plan
from podium.plan.settings import Settings
from podium.predictions.history import differences
from podium.tasks import title

YARDSTICKS = {
    "out_of_fold": "out of fold",
    "held_out": "on a held-out fold",
    "validation": "on the validation photos",
    "test": "on the test photos",
}
TOLD_BY_EVALUATE = ("train", "predict", "blend", "curves")  # `evaluate` depends on all settings of these


class Once(logging.Filter):
    """Lets Snakemake's table of jobs pass only once, since a dry run repeats it at the end."""

    said = False

    def filter(self, record: logging.LogRecord) -> bool:
        table = hasattr(record, "stats")
        again, self.said = table and self.said, table or self.said
        return not again


def last_words(plan: Plan, workflow: Any) -> str:
    """What to print when Snakemake's process ends; nothing in a job's own process, or if no jobs were to run."""
    if not workflow.is_main_process or workflow.scheduler is None:
        return ""
    if workflow.dryrun:
        return changes(plan, workflow)
    if workflow.scheduler.failed:
        return failures(workflow.scheduler.failed, workflow.start_time.timestamp())
    if any(workflow.dag.needrun_jobs()):  # interrupted
        return ""
    made = {str(file) for job in workflow.dag.jobs for file in job.output}
    return results(plan, {str(file) for file in workflow.dag.derived_targetfiles}, made)


def results(plan: Plan, asked: set[str], made: set[str]) -> str:
    """The submission and the score of each experiment of which a file was requested.

    `made` are the files that are up to date because the requested files depend on them.
    """
    lines = []
    for competition in sorted({path.split("/")[1] for path in asked if path.startswith("results/")}):
        files: dict[str, list[str]] = {}
        for path in sorted(path for path in asked if path.startswith(f"results/{competition}/")):
            files.setdefault(path.split("/")[2], []).append(path)
        board = f"results/{competition}/leaderboard.csv"
        ranked = _column(board, "experiment") if board in asked else []
        for name in sorted(files, key=lambda name: (ranked.index(name) if name in ranked else len(ranked), name)):
            if name in plan.config.names:
                lines.append(_result(plan, competition, name, files[name], made))
        if board in asked:
            lines.append(f"{board}   all figures, with 95 % intervals")
        quarantine = f"data/{competition}/quarantine.csv"
        lost = _tests(quarantine) if quarantine in made else set()
        if lost and (lost := lost - _tests(f"data/{competition}/index.csv")):  # without ids of another photo
            lines.append(
                f"{quarantine}   WARNING: {len(lost)} test photos cannot be read "
                "and got the training photos' label frequencies"
            )
    return _joined(lines)


def _result(plan: Plan, competition: str, name: str, files: list[str], made: set[str]) -> str:
    """An experiment's submission, or its requested files, and its score."""
    submission = f"results/{competition}/{name}/{plan.config.submission(competition)}"
    metric, latest = title(plan.config.facts(competition)["metric"]), plan.latest(competition, name)
    said = "not scored with these settings"
    if latest:
        figures = [_figure(latest.figures[each], each, metric) for each in (*JUDGES, "test") if each in latest.figures]
        figures += [] if "test" in latest.figures else _promised(latest.figures, metric)
        known = "; ".join(figures) or "unknown, since no labelled photo was left out of training"
        said = f"{metric.replace('_', ' ')} {known}"
    if teachers := plan.config.teachers(competition, [name]).get(name):
        said += f"; also trained on photos without labels, as {' and '.join(teachers)} label them"
    if submission in made:
        return f"{submission}   {said}"
    return f"{', '.join(files)}   {said}; {submission} was not requested"


def _figure(figures: Settings, yardstick: str, metric: str) -> str:
    value, low, high = (figures[metric][end] for end in ("value", "low", "high"))
    return f"{value:.3f} ({low:.3f} to {high:.3f}) {YARDSTICKS[yardstick]}"


def _promised(figures: Settings, metric: str) -> list[str]:
    """Where the test photos' figure is to be expected, by the yardstick that judges."""
    for own in (figures[each][metric] for each in JUDGES if each in figures):
        if "test_low" in own:
            return [f"{own['test_low']:.3f} to {own['test_high']:.3f} to be expected on the test photos"]
    return []


def _tests(path: str) -> set[str]:
    """The ids of a table's test photos."""
    return {key for key, split in zip(_column(path, "id"), _column(path, "split"), strict=True) if split == "test"}


def _column(path: str, name: str) -> list[str]:
    with Path(path).open(encoding="utf-8", newline="") as file:
        return [row[name] for row in csv.DictReader(file)]


def failures(jobs: Iterable[Any], started: float) -> str:
    """Why each job failed: the last error line of its log."""
    lines = []
    for job in jobs:
        label, log = " ".join([job.rule.name, *job.wildcards]), Path(job.log[0])
        # The log may be that of another run.
        written = log.is_file() and log.stat().st_mtime >= started
        text = log.read_text(encoding="utf-8", errors="replace") if written else ""
        said = re.findall(r"^\S+ \S+ ((?:error|failed): .*)$", text, re.M)
        lines.append(
            f"[{label}] {said[-1] if said else f'failed without a message, perhaps for lack of memory; see {log}'}"
        )
    return _joined(sorted(lines))


def changes(plan: Plan, workflow: Any) -> str:
    """The settings and code that have changed since the files that will be made again were made."""
    code, found = set(), list[tuple[str, str, str, str]]()
    for job, before in _made_before(workflow):
        if hasattr(job.params, "code") and job.params.code not in before:
            code.add(job.rule.name)
        if hasattr(job.params, "state") and job.params.state not in before:
            key = "archive" if job.rule.name == "download" else "weights"
            found.append((job.rule.name, getattr(job.wildcards, "experiment", ""), key, "another content"))
        for old in (each for each in before if isinstance(each, dict)):
            for path, words in differences(old, job.params.settings).items():
                found.append((job.rule.name, *_named(plan, job, path), words))
    told = {experiment for rule, experiment, *_ in found if rule == "evaluate"}
    experiments: dict[tuple[str, str], set[str]] = {}
    for rule, experiment, key, words in found:
        if rule not in TOLD_BY_EVALUATE or experiment not in told:
            experiments.setdefault((key, words), set()).add(experiment)
    lines = []
    for (key, words), each in experiments.items():
        names = ", ".join(sorted(each - {""}))
        lines.append(f"    {key}{f' of {names}' if names else ''}: {words}")
    lines += [f"    code of {', '.join(sorted(code))} changed"] if code else []
    return _joined(["What has changed since these files were made:", *lines] if lines else [])


def _made_before(workflow: Any) -> Iterator[tuple[Any, list[Any]]]:
    """Each job to run whose files exist, and the params that they were made with."""
    for job in workflow.dag.needrun_jobs(exclude_finished=False):
        records = [workflow.persistence.metadata(file) for file in job.output if Path(file).exists()]
        for params in [record.params for record in records if record and record.params][:1]:
            yield job, [ast.literal_eval(each) for each in params]


def _named(plan: Plan, job: Any, path: str) -> tuple[str, str]:
    """The experiment and the config key that a step's setting comes from, or the step's own key if there is none."""
    path = re.sub(r"\btask\.\w+\.metric$", "metric", path)  # tasks are told it
    experiment, inner = getattr(job.wildcards, "experiment", ""), path.partition(".")[2]
    # Settings that an ensemble takes from its members, or a pupil from its teachers, are theirs.
    while found := next((name for name in plan.config.experiments if inner.startswith(f"experiments.{name}.")), None):
        experiment, inner = found, inner.removeprefix(f"experiments.{found}.")
    if job.rule.name == "evaluate" and inner:
        return experiment, inner
    known = plan.keys(job.wildcards.competition, experiment)
    for wanted in filter(None, (f"{job.rule.name}.{path}", path, inner)):
        for key in (key for key in known if key == wanted or key.endswith(f".{wanted}")):
            return experiment, key
    return experiment, f"{job.rule.name}.{path}"


def _joined(lines: list[str]) -> str:
    return "".join(f"{line}\n" for line in lines)
