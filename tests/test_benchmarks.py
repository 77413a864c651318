"""The benchmark of growth calls the steps as they are; that of long tails judges by photos that were not trained on."""

import re
import subprocess
import sys

import longtail
import pandas as pd
import pytest
from conftest import ROOT
from contests import Entered, table


@pytest.mark.slow
def test_each_step_and_each_number_of_shards_has_its_figures() -> None:
    command = [sys.executable, ROOT / "benchmarks/scale.py", "--rows", "growth", "shards", "--photos", "1100", "1200"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for step in ("download", "index", "pack", "preprocess"):
        assert re.search(rf"^{step} +-?[\d.]+ us +\d+ MB +-?[\d.]+ us +\d+ MB ", said, re.M)
    assert re.findall(r"^(\d+) shards +[\d.]+ s$", said, re.M) == ["1", "100"]


def test_a_long_tail_is_as_steep_as_the_photos_allow_and_hides_as_many_of_each_class() -> None:
    there = {"apple": 72, "pear": 30, "lime": 20, "kiwi": 12}
    photos = pd.DataFrame({"label": [name for name, count in there.items() for _ in range(count)]})
    photos["file"] = photos.index.astype(str)
    drawn = [longtail.split(photos, seed) for seed in (0, 0, 1)]
    pd.testing.assert_frame_equal(drawn[0], drawn[1])
    assert set(drawn[0].file) != set(drawn[2].file)
    for each in drawn:
        assert not each.file.duplicated().any()
        assert (each.label[each.split == "test"].value_counts() == longtail.HIDDEN).all()
        trained = each.label[each.split == "train"].value_counts()
        assert list(trained) == [64, 20, 6, 2]  # and 64 / 32**(1/3) = 20.2, 64 / 32**(2/3) = 6.3
        assert trained["apple"] == 64


def test_what_ways_gain_is_compared_draw_by_draw() -> None:
    ways = [(loss, how) for loss in longtail.LOSSES for how in longtail.WAYS]
    draws = [[0.5 + 0.1 * draw + 0.01 * place * (1 + draw) for place in range(len(ways))] for draw in (0, 1)]
    each = [pd.DataFrame(dict.fromkeys(longtail.FIGURES, draw), pd.MultiIndex.from_tuples(ways)) for draw in draws]
    rows = longtail.table(pd.concat(each, keys=(0, 1))).splitlines()
    assert rows[2].startswith("| `balance` 0 | argmax | 0.550 | +0.000 ± 0.000 |")
    assert rows[4].startswith("| `balance` 0.5 | argmax | 0.580 | +0.030 ± 0.014 |")


def test_a_promise_is_kept_if_the_grade_lies_in_its_interval() -> None:
    kept = Entered(
        "cats",
        "accuracy",
        "higher",
        0.1,
        0.7,
        0.8,
        promised=0.9,
        low=0.75,
        high=0.95,
        test_low=0.7,
        test_high=1.0,
        seconds=31.4,
    )
    broken = kept._replace(contest="dogs", metric="rmse", better="lower", low=0.85)
    assert kept.beats_the_sample and not broken.beats_the_sample
    rows = table([kept, broken]).splitlines()
    assert (
        rows[2]
        == "| cats | accuracy ▲ | 0.100 | 0.700 | 0.800 | 0.900 (0.750 to 0.950) | yes | 0.700 to 1.000 | yes | 31 |"
    )
    assert rows[3].startswith("| dogs | rmse ▼ |") and "| no |" in rows[3]
    assert rows[-1] == "1 of 2 promises were kept; 2 grades were where they were to be expected."
