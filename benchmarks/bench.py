"""Measure what a user waits for and what it gives: `make bench`; README.md beside this file says how to read it."""

import argparse
import hashlib
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parents[1]
MADE = shutil.ignore_patterns(".git", ".venv", ".snakemake", "data", "results", "logs", "__pycache__", ".*_cache")
VIEWS = "plain+zoom-flip+crop-1+crop-2"  # what `quick` trains on
# Forward passes only, on pixels that are already there: what the backbone does at best on this machine.
FORWARD = """
import sys, time
import numpy as np, tensorflow as tf
sys.path.insert(0, "workflow/scripts")
from podium import backbones
from embed import BATCH
network = backbones.build("efficientnet_lite0", precision="auto")
forward = tf.function(lambda batch: network(batch, training=False))
batch = tf.constant(np.random.default_rng(0).uniform(0, 255, (BATCH, 224, 224, 3)).astype("float32"))
forward(batch)
started = time.perf_counter()
for _ in range(30): forward(batch)
print(30 * BATCH / (time.perf_counter() - started))
"""


def snakemake(project: Path, *arguments: str) -> float:
    """Seconds of one call; the benchmark ends where it fails."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "snakemake", "--cores", "all", *arguments]
    done = subprocess.run(
        command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        sys.exit(done.stdout)
    return time.perf_counter() - started


def from_nothing(folder: Path, competition: str, submission: str, arguments: list[str], repeats: int) -> Path:
    """Runs a competition from nothing several times and prints what it took and gave; returns the copy it ran in."""
    project, seconds, digests = folder / "podium", [], []
    for _ in range(repeats):
        shutil.rmtree(project, ignore_errors=True)
        shutil.copytree(ROOT, project, ignore=MADE)
        seconds.append(snakemake(project, *arguments))
        digests.append(hashlib.sha256((project / "results" / competition / submission).read_bytes()).hexdigest())
    show(f"{competition}: from nothing to {submission}", f"{statistics.median(seconds):.1f} s", spread(seconds))
    show(f"{competition}: the same submission each time", "yes" if len(set(digests)) == 1 else "NO")
    idle = [snakemake(project, *arguments) for _ in range(5)]
    show(f"{competition}: nothing to do", f"{statistics.median(idle):.1f} s", spread(idle))
    ends = {log: re.search(r"done in ([\d.]+) s, peak memory (\d+) MB", log.read_text()) for log in logs(project)}
    peaks = {log: int(end[2]) for log, end in ends.items() if end}
    most = max(peaks, key=lambda log: peaks[log])
    show(f"{competition}: most memory in a step", f"{peaks[most]} MB", most.relative_to(project / "logs").as_posix())
    scores = json.loads((project / "results" / competition / submission).with_name("scores.json").read_text())
    for yardstick, figures in scores.items():
        for metric in ("accuracy", "macro_f1"):
            figure = figures[metric]
            interval = f"{figure['low']:.3f} to {figure['high']:.3f}, {figures['photos']} photos"
            show(f"{competition}: {metric} {yardstick}", f"{figure['value']:.4f}", interval)
    return project


def steps(project: Path, competition: str) -> None:
    """Seconds in each kind of step, all its jobs together."""
    total: dict[str, float] = {}
    for log in logs(project):
        end = re.search(r"done in ([\d.]+) s", log.read_text())
        rule = log.stem.split("-")[0]
        total[rule] = total.get(rule, 0) + (float(end[1]) if end else 0)
    for rule, seconds in sorted(total.items(), key=lambda each: -each[1]):
        show(f"{competition}: in all jobs of {rule}", f"{seconds:.1f} s")


def embed_rate(project: Path, repeats: int) -> None:
    """The photos a second of `embed` beside those of the network alone, in turn."""
    ratios = []
    for _ in range(repeats):
        command = [sys.executable, "-c", FORWARD]
        best = float(subprocess.run(command, cwd=project, capture_output=True, text=True, check=True).stdout)
        part = f"data/grocery/224px/efficientnet_lite0/{VIEWS}/train-0.npz"
        snakemake(project, "--forcerun", "embed", "--until", "embed", "--config", "competition=grocery", "--", part)
        log = (project / f"logs/grocery/embed-224-efficientnet_lite0-{VIEWS}-train-0.log").read_text()
        ratios.append(float(re.findall(r"photos, ([\d,]+)/s", log)[-1].replace(",", "")) / best)
    show("grocery: embed against forward passes alone", f"{statistics.median(ratios):.2f}", spread(ratios))


def logs(project: Path) -> list[Path]:
    return list((project / "logs").rglob("*.log"))


def spread(values: list[float]) -> str:
    return f"{min(values):.2f} to {max(values):.2f} in {len(values)} runs"


def show(what: str, figure: str, remark: str = "") -> None:
    print(f"{what:<52} {figure:>10}   {remark}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--grocery", type=Path, required=True, help="the hackathon's zip; left out where it is missing")
    parser.add_argument("--repeats", type=int, default=3, help="runs from nothing, of which the median is shown")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="podium-bench-") as folder:
        from_nothing(Path(folder), "digits", "cnn/submission.csv", [], given.repeats)
        if not given.grocery.is_file():
            print(f"no {given.grocery}: the grocery hackathon is left out (make bench GROCERY=PATH)")
            return
        arguments = ["--config", "competition=grocery", f"archive={given.grocery.resolve()}"]
        project = from_nothing(Path(folder), "grocery", "quick/submission.tsv", arguments, given.repeats)
        steps(project, "grocery")
        embed_rate(project, given.repeats)


if __name__ == "__main__":
    main()
