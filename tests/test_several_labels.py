"""Photos with several labels, from the archive to a checked submission."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from conftest import SUBJECTS, TABLES, photo, snakemake, table, write_zip

from podium.photos import images


def pairs(count: int, first: int) -> dict[str, bytes]:
    """Photos of one or two subjects side by side, which their names list; one in eight shows a grey wall."""
    found = {}
    for number in range(first, first + count):
        left, right = SUBJECTS[number % 4], SUBJECTS[number // 4 % 4]
        halves = [np.asarray(images.decode(photo(name, number), 64)) for name in (left, right)]
        wall = number % 8 == 7
        shown = np.full((64, 128, 3), 128, np.uint8) if wall else np.concatenate(halves, axis=1)
        found[f"{number:03}-{'' if wall else '+'.join(sorted({left, right}))}.png"] = images.png(shown)
    return found


def test_several_labels_go_from_the_archive_to_a_checked_submission(finished: tuple[Path, str]) -> None:
    """What the folds promise is what the test photos give."""
    project, _ = finished
    train, test = pairs(80, 0), pairs(40, 200)
    members = {f"train/{name}": content for name, content in train.items()}
    members |= {f"test/{name}": content for name, content in test.items()}
    truth = {name: name[4:-4].split("+") if name[4:-4] else [] for name in (*train, *test)}
    members["train.csv"] = table(["file", "labels"], [[name, "|".join(truth[name])] for name in train])
    members["test.csv"] = members["sample.csv"] = table(["file", "labels"], [[name, ""] for name in test])
    write_zip(project / "pairs.zip", members)
    tables = {split: TABLES[split] | ({"label": "labels"} if split == "train" else {}) for split in ("train", "test")}
    facts = {"task": "multilabel", "multilabel": {"separator": "|"}, "metric": "samples_f1", "tables": tables}
    facts |= {"submission": {"sample": "sample.csv"}, "run": ["linear"], "preprocess": {"fit": "squash"}}
    (project / "config/competitions/pairs.yaml").write_text(yaml.safe_dump(facts))
    said = snakemake(project, "--config", "competition=pairs", "archive=pairs.zip")
    scored = r"samples f1 0\.\d{3} \(.*\) out of fold; .* to be expected on the test photos"
    assert re.search(rf"^results/pairs/linear/submission\.csv   {scored}$", said, re.M)
    handed_in = pd.read_csv(project / "results/pairs/linear/submission.csv", keep_default_na=False)
    assert list(handed_in.file) == list(test)
    answers = [set(cell.split("|")) - {""} for cell in handed_in.labels]
    reached = np.mean(
        [
            2 * len(answer & {*truth[name]}) / max(len(answer) + len(truth[name]), 1) if answer or truth[name] else 1
            for name, answer in zip(test, answers, strict=True)
        ]
    )
    scores = json.loads((project / "results/pairs/linear/scores.json").read_text())["out_of_fold"]
    assert reached > 0.8
    assert scores["samples_f1"]["value"] > 0.8
    assert scores["macro_auc"]["value"] > 0.9
