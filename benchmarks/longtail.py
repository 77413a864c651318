"""What a balanced loss and `decide` are worth where classes have very different numbers of photos.

Photos of the grocery hackathon are drawn so that the largest class has as many as it can and the smallest two. `linear`
is run on them with several strengths of the balance, and its answers are judged on photos that it has not seen.
"""

import json
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from bench import snakemake
from sklearn.metrics import f1_score

HIDDEN, LEAST = 8, 2  # photos of each class that judge, and to train on of the smallest class
DRAWS = 5
LOSSES = {"plain": 0.0, "half": 0.5, "full": 1.0}  # experiments, and the setting `balance` of each
WAYS = {"argmax": "label_1", "decide": "answer"}  # columns of the table that people read
FIGURES = ["as frequent", "alike"]
SAID = """\
Photos of the {classes} classes of the grocery hackathon, drawn {draws} times: the largest class has {most} to train
on, the next ones ever fewer (in a geometric series, as far as there are photos), and the smallest {least}: {photos} in
all. No class of the archive has enough for 200. Which class has how many is drawn too. {hidden} further photos of each
class judge. `linear` runs with three strengths of `balance`; `decide` chooses out of fold, by macro F1.

The figures are macro F1, the mean of the draws. In the first two columns a photo that judges counts so often that the
classes are as frequent as in training, as in a contest whose photos are all drawn alike; in the last two each photo
counts once, so that all classes are equally frequent. What is gained is over the plain loss with argmax: the mean and
the standard deviation of the {draws} differences.

"""
LAYOUT = {
    split: {"path": f"{split}.csv", "image": f"{split}/{{file}}", "id": "file"}
    | ({"label": "label"} if split == "train" else {})
    for split in ("train", "test")
}


def longtail(project: Path, source: Path) -> str:
    """What was drawn, and a row for each loss and each way to answer: macro F1, and the gain over plain ones."""
    with zipfile.ZipFile(source) as opened:
        tables = [opened.open(f"{split}.tsv") for split in ("train", "validation")]
        listed = [pd.read_csv(table, sep="\t") for table in tables]
        photos = pd.concat(listed, keys=("train", "validation"), names=["folder"]).reset_index("folder")
        reached = []
        for seed in range(DRAWS):
            drawn = split(photos, seed)
            archive = _archive(opened, drawn, project.parent / f"tail-{seed}.zip")
            reached.append(_judged(project, archive, drawn))
            print(reached[-1], flush=True)
    counts = drawn.label[drawn.split == "train"].value_counts()
    facts = {"photos": counts.sum(), "classes": len(counts), "most": counts.max()}
    said = SAID.format(hidden=HIDDEN, least=LEAST, draws=DRAWS, **facts)
    return said + table(pd.concat(reached, keys=range(DRAWS)))


def split(photos: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Photos to train on and, as `test`, to judge; which class has how many is drawn among those that have as many."""
    random, drawn = np.random.default_rng(seed), []
    left = photos.label.value_counts() - HIDDEN
    for wanted in np.geomspace(left.max(), LEAST, len(left)).round().astype(int):
        count = min(wanted, left.max())
        label = random.choice(sorted(left.index[left >= count]))
        left = left.drop(label)
        own = photos[photos.label == label].sample(HIDDEN + count, random_state=random)
        drawn.append(own.assign(split=["test"] * HIDDEN + ["train"] * count))
    return pd.concat(drawn, ignore_index=True)


def _archive(source: zipfile.ZipFile, drawn: pd.DataFrame, path: Path) -> Path:
    with zipfile.ZipFile(path, "w") as out:
        for photo in drawn.itertuples():
            out.writestr(f"{photo.split}/{photo.file}", source.read(f"{photo.folder}/{photo.file}"))
        for name, rows in drawn.groupby("split"):
            out.writestr(f"{name}.csv", rows[["file", "label"] if name == "train" else ["file"]].to_csv(index=False))
    return path


def _judged(project: Path, archive: Path, drawn: pd.DataFrame) -> pd.DataFrame:
    """Macro F1 of each loss and each way to answer, on the photos that judge: as `FIGURES` says."""
    name = archive.stem
    (project / f"config/competitions/{name}.yaml").write_text(yaml.safe_dump({"metric": "macro_f1", "tables": LAYOUT}))
    experiments = {loss: {"train": {"network": "head", "balance": balance}} for loss, balance in LOSSES.items()}
    files = {loss: f"results/{name}/{loss}/predictions.csv" for loss in experiments}
    given = [f"competition={name}", f"archive={archive}", f"experiments={json.dumps(experiments)}"]
    snakemake(project, *files.values(), "--config", *given)
    counts = drawn.label[drawn.split == "train"].value_counts()
    truth = drawn[drawn.split == "test"].set_index("file").label
    found = {}
    for loss, file in files.items():
        table = pd.read_csv(project / file).set_index("id").loc[truth.index]
        for how, column in WAYS.items():
            found[loss, how] = [
                f1_score(truth, table[column], average="macro", sample_weight=weights)
                for weights in (truth.map(counts), None)
            ]
    return pd.DataFrame([*found.values()], pd.MultiIndex.from_tuples(found), FIGURES)


def table(reached: pd.DataFrame) -> str:
    """Rows of figures by draw, loss and way, as Markdown: means over the draws."""
    lines = [
        "| loss | answers | as frequent | gained | equally frequent | gained |",
        "|---|---|---|---|---|---|",
    ]
    for loss, balance in LOSSES.items():
        for how in WAYS:
            cells = []
            for figure in FIGURES:
                by = reached[figure].unstack(level=[1, 2])
                own = by[loss, how]
                gain = own - by["plain", "argmax"]
                cells.append(f"{own.mean():.3f} | {gain.mean():+.3f} ± {gain.std():.3f}")
            lines.append(f"| `balance` {balance:g} | {how} | {' | '.join(cells)} |")
    return "\n".join(lines)
