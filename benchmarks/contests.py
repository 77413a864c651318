"""Enter contests as their organisers ship them: the part `contests` of `make bench`; README.md explains the output.

Each contest goes from `begin` and one command to its own grade. The archives are small ones in the layouts of real
contests, made of real photos; the answers are kept apart. Below them stands what longtail.py measures.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import zipfile
from pathlib import Path
from typing import NamedTuple

import yaml
from bench import HERE, copy_project, snakemake
from longtail import longtail

# What these contests are graded by; no file of their archives says it, and it is not what is usual for their answers.
METRICS = {
    "dogs-vs-cats-redux-kernels-edition": "log_loss",
    "imet-2020-fgvc7": "micro_f1",
    "plant-pathology-2020-fgvc7": "roc_auc",
    "plant-seedlings-classification": "micro_f1",
}
NO_LABELS = ("denoising-dirty-documents", "tgs-salt-identification-challenge")  # their answers are images and masks
ERRORS = "first_wrong"  # the grader's name for the share of wrong answers, 1 less the accuracy
ENDS = ("low", "high", "test_low", "test_high")  # of a figure's intervals
SIZE = (600, 200)  # photos to train on and to answer


class Entered(NamedTuple):
    """What became of one contest. Grades are its grader's; the promise is Podium's figure, on photos left out."""

    contest: str
    metric: str
    better: str
    sample: float
    plain: float
    decided: float
    promised: float
    low: float
    high: float
    test_low: float  # where so many test photos are to be expected
    test_high: float
    seconds: float

    @property
    def kept(self) -> bool:
        return self.low <= self.decided <= self.high

    @property
    def expected(self) -> bool:
        return self.test_low <= self.decided <= self.test_high

    @property
    def beats_the_sample(self) -> bool:
        return self.decided > self.sample if self.better == "higher" else self.decided < self.sample


def contests(tools: Path) -> dict[str, tuple[str, str]]:
    """The metric of each contest whose answers are no images, as its grader calls it, and which grades are better."""
    found = (line.split() for line in _python(tools / "grade.py", "--list").splitlines())
    return {name: (metric, better) for name, metric, better in found if name not in NO_LABELS}


def enter(project: Path, tools: Path, photos: Path, contest: str, size: tuple[int, int] = SIZE) -> Entered:
    """Makes the contest's archive beside the project, runs `begin` and `quick`, and grades; ends if a step fails."""
    folder = project.parent
    given = ["--photos", photos, "--train", size[0], "--test", size[1]]
    _python(tools / "make_contest.py", contest, folder, *given)
    archive, started = folder / f"{contest}.zip", time.perf_counter()
    known = ["--metric", METRICS[contest]] if contest in METRICS else []
    _python(project / "workflow/scripts/begin.py", archive, *known)
    snakemake(project, "--config", f"competition={contest}", "run=[quick]")
    seconds, results = time.perf_counter() - started, project / "results" / contest / "quick"

    files = (_sample(project, archive), _plain(project, results), results / "submission.csv")
    answers = folder / f"{contest}.answers.csv"
    sample, plain, decided = [float(_python(tools / "grade.py", contest, file, answers).split()[0]) for file in files]
    grader, better = contests(tools)[contest]
    metric, promise = _promised(results, errors=grader == ERRORS)
    promised = dict(zip(("promised", *ENDS), promise, strict=True))
    return Entered(contest, metric, better, sample, plain, decided, **promised, seconds=seconds)


def _sample(project: Path, archive: Path) -> Path:
    """The sample submission as it lies in the archive."""
    facts = yaml.safe_load((project / f"config/competitions/{archive.stem}.yaml").read_text())
    with zipfile.ZipFile(archive) as opened:
        return Path(opened.extract(facts["submission"]["sample"], archive.with_suffix("")))


def _plain(project: Path, results: Path) -> Path:
    """The submission as it would be if `decide` had decided nothing."""
    said = json.loads((results / "decision.json").read_text())
    decision, submission = results / "plain.json", results / "plain.csv"
    decision.write_text(json.dumps({"decision": said["plain"]}))
    scored = json.loads((results / "scored.jsonl").read_text().splitlines()[-1])
    files = {"asked": project / "data" / results.parent.name / "asked.json"}
    files |= {"predictions": results / "predictions.npy", "decision": decision, "submission": submission}
    flags = [f"--{name}={file}" for name, file in files.items()]
    _python(project / "workflow/scripts/submit.py", *flags, f"--task={json.dumps(scored['settings']['task'])}")
    return submission


def _promised(results: Path, *, errors: bool) -> tuple[str, list[float]]:
    """The deciding metric; its value on the photos left out, and the ends of its interval and of the test photos'."""
    figures = next(iter(json.loads((results / "scores.json").read_text()).values()))
    metric, figure = next((name, figure) for name, figure in figures.items() if name != "photos")
    names = ("value", "high", "low", "test_high", "test_low") if errors else ("value", *ENDS)
    found = [figure[name] for name in names]
    return (f"1 - {metric}", [1 - each for each in found]) if errors else (metric, found)


def _python(script: Path, *arguments: object) -> str:
    """What a script prints; the benchmark ends if it fails."""
    command = [sys.executable, str(script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{' '.join(command)}:\n{done.stdout}{done.stderr}")
    return done.stdout


def table(entered: list[Entered]) -> str:
    """A row for each contest, and how many promises were kept."""
    lines = [
        "| contest | metric | sample | plain | decided | promised | kept | expected | within | seconds |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for each in entered:
        metric = f"{each.metric} {'▲' if each.better == 'higher' else '▼'}"
        grades = " | ".join(f"{grade:.3f}" for grade in (each.sample, each.plain, each.decided))
        promise = f"{each.promised:.3f} ({each.low:.3f} to {each.high:.3f}) | {'yes' if each.kept else 'no'}"
        promise += f" | {each.test_low:.3f} to {each.test_high:.3f} | {'yes' if each.expected else 'no'}"
        lines.append(f"| {each.contest} | {metric} | {grades} | {promise} | {each.seconds:.0f} |")
    kept, within = sum(each.kept for each in entered), sum(each.expected for each in entered)
    said = f"{kept} of {len(entered)} promises were kept; {within} grades were where they were to be expected."
    return "\n".join([*lines, "", said])


TABLE = """# Contests

Made by `make bench PART=contests`; [README.md](README.md) explains it.

## From the archive to the grade

Each contest's own metric (▲ higher is better, ▼ lower) of {test} test photos, as its grader computes it: of the sample
submission, of `quick` with plain answers, and of its submission, whose answers are decided. `promised` is the figure of
this submission on photos left out of the {train} training photos, with its 95 % interval; a promise is kept if the
grade lies in the interval. `expected` is the wider interval for so many test photos. The seconds are those of `begin`
and `quick`.

{contests}

## The long tail

{longtail}
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tools", type=Path, required=True, help="where make_contest.py and grade.py lie")
    parser.add_argument("--photos", type=Path, required=True, help="the grocery hackathon's zip")
    parser.add_argument("--contests", nargs="*", help="only these, and not the long tail; nothing is written")
    given = parser.parse_args()
    tools, photos = given.tools.resolve(), given.photos.resolve()
    entered = []
    with tempfile.TemporaryDirectory(prefix="podium-contests-") as name:
        project = copy_project(Path(name) / "project")
        for contest in given.contests or contests(tools):
            entered.append(enter(project, tools, photos, contest))
            print(entered[-1], flush=True)
        if given.contests:
            return
        found = {"contests": table(entered), "longtail": longtail(project, photos)}
    text = TABLE.format(train=SIZE[0], test=SIZE[1], **found)
    (HERE / "contests.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
