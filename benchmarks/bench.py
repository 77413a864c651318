"""Measure times, memory and scores: `make bench`; README.md next to this file explains the output."""

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
import zipfile
from pathlib import Path
from typing import Any, NamedTuple

import yaml

HERE = Path(__file__).parent
ROOT = HERE.parent
MADE = shutil.ignore_patterns(".git", ".venv", ".snakemake", "data", "results", "logs", "__pycache__", ".*_cache")
PARTS = ("digits", "fashion", "grocery", "contests", "pixels", "scale")
PART = 60.0  # seconds that are timed of baselines that would take too long
# Podium with the backbone of the 2019 loop and random weights, as in the loop: only for its time.
INCEPTION = {"backbone": "inception_v3", "weights": "none", "size": 299, "folds": 0}
INCEPTION |= {"train": {"head": {"views": ["plain"]}}, "predict": {"views": ["plain"]}}


# Published results for fashion-mnist: name, accuracy on its test photos, and the time it took.
PUBLISHED = [
    ("MLP (the data set's own table)", 0.883, ""),
    ("Google AutoML Vision", 0.939, "24 compute hours"),
    ("fastai, ResNet50 fine-tuned", 0.931, ""),
]


class Line(NamedTuple):
    """One method: seconds from the photos to predictions, photos per second, peak memory, and scores."""

    name: str
    seconds: float
    photos_per_second: float
    peak_mb: int
    accuracy: float | None
    macro_f1: float | None


def snakemake(project: Path, *arguments: str) -> float:
    """Seconds of one call; the benchmark ends if it fails."""
    started = time.perf_counter()
    command = [sys.executable, "-m", "snakemake", "--cores", "all", *arguments]
    done = subprocess.run(
        command, cwd=project, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    if done.returncode:
        sys.exit(done.stdout)
    return time.perf_counter() - started


def copy_project(folder: Path) -> Path:
    """A fresh copy of the project, as a clone would be."""
    return shutil.copytree(ROOT, folder, ignore=MADE)


def from_nothing(folder: Path, competition: str, experiment: str, archive: list[str], repeats: int) -> Line:
    """Runs an experiment from scratch several times, in its own copy of the project, and shows times and scores."""
    project, name, seconds, digests = folder / experiment, f"{competition} {experiment}", [], []
    arguments = ["--config", f"competition={competition}", f"run=[{experiment}]", *archive]
    for _ in range(repeats):
        shutil.rmtree(project, ignore_errors=True)
        copy_project(project)
        add_inception(project)
        seconds.append(snakemake(project, *arguments))
        submission = next((project / "results" / competition / experiment).glob("submission.*"))
        digests.append(hashlib.sha256(submission.read_bytes()).hexdigest())
    show(f"{name}: from nothing to {submission.name}", f"{statistics.median(seconds):.1f} s", spread(seconds))
    if repeats > 1:
        show(f"{name}: the same submission each time", "yes" if len(set(digests)) == 1 else "NO")
    idle = [snakemake(project, *arguments) for _ in range(3)]
    show(f"{name}: nothing to do", f"{statistics.median(idle):.1f} s", spread(idle))
    ends = {log: re.search(r"done in ([\d.]+) s, peak memory (\d+) MB", log.read_text()) for log in logs(project)}
    peaks = {log: int(end[2]) for log, end in ends.items() if end}
    most = max(peaks, key=lambda log: peaks[log])
    show(f"{name}: most memory in a step", f"{peaks[most]} MB", most.relative_to(project / "logs").as_posix())
    scores = json.loads(submission.with_name("scores.json").read_text())
    for yardstick, figures in scores.items():
        for metric in ("accuracy", "macro_f1"):
            figure = figures[metric]
            interval = f"{figure['low']:.3f} to {figure['high']:.3f}, {figures['photos']} photos"
            show(f"{name}: {metric} {yardstick}", f"{figure['value']:.4f}", interval)
    judged = next(scores[name] for name in ("validation", "out_of_fold", "test") if name in scores)
    rate = photos_per_second(project)
    values = [judged[metric]["value"] for metric in ("accuracy", "macro_f1")]
    return Line(f"podium {experiment}", statistics.median(seconds), rate, peaks[most], values[0], values[1])


def add_inception(project: Path) -> None:
    path = project / "config/config.yaml"
    config = yaml.safe_load(path.read_text())
    config["experiments"]["inception"] = INCEPTION
    path.write_text(yaml.safe_dump(config, sort_keys=False))


def photos_per_second(project: Path) -> float:
    """Photos per second (counted once per view or epoch) of the longest step that reports them."""
    found = {}
    for log in logs(project):
        text = log.read_text()
        rate, end = re.findall(r"of ([\d,]+) photos, ([\d,]+)/s", text), re.search(r"done in ([\d.]+) s", text)
        if rate and end:
            found[float(end[1])] = float(rate[-1][1].replace(",", ""))
    return found[max(found)]


def baseline(photos: Path, *arguments: str) -> Line:
    """One of baselines.py; its seconds are those of the training alone."""
    command = [sys.executable, HERE / "baselines.py", arguments[0], "--photos", photos, *arguments[1:]]
    found = measured(command)
    name = " ".join(each for each in arguments if not each.startswith("--") and not each.replace(".", "").isdigit())
    if found["extrapolated"]:
        name += f" ({found['measured_seconds']:.0f} s timed)"
    values = (found.get("validation_accuracy"), found.get("validation_macro_f1"))
    return Line(name, found["seconds"], found["photos_per_second"], found["peak_memory_mb"], *values)


def compare(lines: list[Line]) -> None:
    """Prints the table of all methods, each compared with the 2019 loop and the Keras tutorial."""
    loop, tutorial = lines[0].seconds, lines[1].seconds
    heads = "".join(f"{head:>10}" for head in ("photos/s", "peak MB", "accuracy", "macro F1", "loop", "tutorial"))
    print(f"\n{'':<44}{'seconds':>9}{heads}")
    for line in lines:
        worth = "".join("         -" if each is None else f"{each:>10.4f}" for each in (line.accuracy, line.macro_f1))
        ratios = f"{loop / line.seconds:>9.1f}x{tutorial / line.seconds:>9.1f}x"
        print(f"{line.name:<44}{line.seconds:>9.0f}{line.photos_per_second:>10.0f}{line.peak_mb:>10}{worth}{ratios}")


def fashion(folder: Path, archive: Path, experiments: list[str]) -> None:
    """All 60,000 training photos of fashion-mnist, judged by its 10,000 test photos, next to published results."""
    lines = [from_nothing(folder, "fashion-mnist", each, [f"archive={archive.resolve()}"], 1) for each in experiments]
    ours = [(line.name, line.accuracy, f"{line.seconds / 60:.1f} minutes") for line in lines]
    print("\nfashion-mnist, accuracy on the test photos")
    for name, accuracy, took in [*PUBLISHED, *ours]:
        print(f"{name:<44}{accuracy:>9.4f}   {took}")


def throughput(project: Path) -> None:
    """Compares the speed of a training with the best speed of its network."""
    rates = {}
    for policy in ("float32", "mixed_bfloat16"):
        rates[policy] = measured([sys.executable, HERE / "throughput.py", "--policy", policy])
        for kind, rate in rates[policy].items():
            show(f"training, {policy}: {kind}", f"{rate:.0f}/s")
    reached = photos_per_second(project)
    best = max(rate["podium"] for rate in rates.values())
    show("training: in `finetune`, photos cut and read", f"{reached:.0f}/s", f"{reached / best:.2f} of the best")


def measured(command: list[Any]) -> dict[str, Any]:
    done = subprocess.run([str(each) for each in command], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def logs(project: Path) -> list[Path]:
    return list((project / "logs").rglob("*.log"))


def spread(values: list[float]) -> str:
    return f"{min(values):.2f} to {max(values):.2f} in {len(values)} runs"


def show(what: str, figure: str, remark: str = "") -> None:
    print(f"{what:<52} {figure:>10}   {remark}", flush=True)


def grocery(folder: Path, archive: Path, experiments: list[str], repeats: int) -> None:
    """The hackathon: experiments from nothing, the speed of training, and the table that compares them with others."""
    with zipfile.ZipFile(archive) as photos:
        photos.extractall(folder / "photos")
    part = ("--seconds", str(PART))
    lines = [
        baseline(folder / "photos", "loop", *part),
        baseline(folder / "photos", "tutorial", "--backbone", "efficientnet_lite0", "--seconds", "0"),
        baseline(folder / "photos", "tutorial", "--backbone", "inception_v3", *part),
    ]
    archive_given = [f"archive={archive.resolve()}"]
    lines.append(from_nothing(folder, "grocery", "inception", archive_given, 1))
    lines.append(from_nothing(folder, "grocery", "quick", archive_given, repeats))
    for experiment in experiments:
        lines.append(from_nothing(folder, "grocery", experiment, archive_given, 1))
    if "finetune" in experiments:
        throughput(folder / "finetune")
    compare(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", nargs="*", choices=PARTS, default=list(PARTS), help="what to measure")
    parser.add_argument("--grocery", type=Path, required=True, help="the hackathon's zip; left out where it is missing")
    parser.add_argument(
        "--repeats", type=int, default=3, help="runs from nothing of the short ones; the median is shown"
    )
    parser.add_argument("--experiments", nargs="*", default=["finetune", "record"], help="the long ones, run once each")
    parser.add_argument("--fashion", type=Path, required=True, help="fashion-mnist's IDX files; left out where missing")
    parser.add_argument("--fashion-experiments", nargs="*", default=["mlp", "cnn", "cnn_pair"], help="run once each")
    parser.add_argument("--contests", type=Path, required=True, help="the makers of contests; left out where missing")
    parser.add_argument("--pixels", type=Path, required=True, help="zips of masks and pictures; left out where missing")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="podium-bench-") as name:
        folder = Path(name)
        if "digits" in given.parts:
            from_nothing(folder, "digits", "cnn", [], given.repeats)
        if "fashion" in given.parts and given.fashion.is_dir():
            fashion(folder, given.fashion, given.fashion_experiments)
        elif "fashion" in given.parts:
            print(f"no {given.fashion}: fashion-mnist is left out (make bench FASHION=PATH)")
        if "grocery" in given.parts and given.grocery.is_file():
            grocery(folder, given.grocery, given.experiments, given.repeats)
        elif "grocery" in given.parts:
            print(f"no {given.grocery}: the grocery hackathon is left out (make bench GROCERY=PATH)")
        if "contests" in given.parts and given.contests.is_dir() and given.grocery.is_file():
            files = ["--tools", given.contests, "--photos", given.grocery]
            subprocess.run([sys.executable, HERE / "contests.py", *files], check=True)
        elif "contests" in given.parts:
            missing = given.grocery if given.contests.is_dir() else given.contests
            print(f"no {missing}: the contests are left out (make bench CONTESTS=PATH GROCERY=PATH)")
        if "pixels" in given.parts:
            subprocess.run([sys.executable, HERE / "pixels.py", "--archives", given.pixels], check=True)
        if "scale" in given.parts:
            subprocess.run([sys.executable, HERE / "scale.py"], check=True)
            head = measured([sys.executable, HERE / "head.py"])
            took = f"{head['processor_seconds']:.0f} processor seconds"
            show("head on 100,000 photos and 4 views", f"{head['peak_memory_mb']:.0f} MB", took)


if __name__ == "__main__":
    main()
