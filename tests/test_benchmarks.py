"""The benchmark of growth calls the steps as they are."""

import re
import subprocess
import sys

import pytest
from conftest import ROOT


@pytest.mark.slow
def test_each_step_and_each_number_of_shards_has_its_figures() -> None:
    command = [sys.executable, ROOT / "benchmarks/scale.py", "--rows", "growth", "shards", "--photos", "1100", "1200"]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    for step in ("download", "index", "pack", "preprocess"):
        assert re.search(rf"^{step} +-?[\d.]+ us +\d+ MB +-?[\d.]+ us +\d+ MB ", said, re.M)
    assert re.findall(r"^(\d+) shards +[\d.]+ s$", said, re.M) == ["1", "100"]
