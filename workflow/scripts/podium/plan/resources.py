"""The memory and the time that the jobs of each rule claim, for Snakemake and a cluster to schedule by. No TensorFlow.

They come from `peak memory` and `done in` in the logs of `digits` and `grocery` on two cores without a GPU: about
twice the memory and ten times the time, since networks and machines differ. Where that is too little, `--set-resources
train:mem_mb=16000` says so, or `--retries 2`, with which later attempts claim more.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

from podium.digests import files


class Claim(NamedTuple):
    """MB, and more MB for each core; minutes, and more minutes for each GB of inputs, each time that they are read."""

    mb: int
    mb_a_core: int
    minutes: int
    minutes_a_gb: int


# A step without TensorFlow that decodes no photos takes 60 to 180 MB and, with a million photos or a thousand classes,
# some hundreds more; one with TensorFlow takes 750 to 850 MB before it computes anything.
CLAIMS = {
    "download": Claim(500, 0, 720, 10),
    "index": Claim(1000, 200, 10, 10),  # 126 MB, 17 s a GB; a core decodes a photo of 24 megapixels in 150 MB
    "split": Claim(1000, 0, 10, 10),
    "ask": Claim(1000, 0, 10, 10),
    "pack": Claim(1000, 0, 10, 10),  # 90 MB
    "preprocess": Claim(1000, 200, 10, 20),  # 57 MB, 110 s a GB
    "embed": Claim(2500, 0, 15, 10),  # 1,117 MB, 35 s a GB and view
    "train": Claim(2000, 0, 30, 25),  # 850 MB for digits, 904 MB for a head; 150 s a GB and epoch
    "predict": Claim(2500, 0, 15, 10),  # 751 MB for digits
    "pool": Claim(2000, 0, 10, 10),
    "blend": Claim(2000, 0, 30, 60),
    "calibrate": Claim(2000, 0, 30, 60),  # 183 MB
    "decide": Claim(2000, 0, 30, 60),
    "finish": Claim(1000, 0, 10, 10),  # 90 MB
    "evaluate": Claim(2000, 0, 30, 60),  # 170 MB
    "submit": Claim(1000, 0, 10, 10),
    "upload": Claim(500, 0, 60, 10),
    "leaderboard": Claim(500, 0, 10, 10),  # 161 MB
    "curves": Claim(500, 0, 10, 10),  # 118 MB
    "panels": Claim(2000, 0, 10, 10),
    "export": Claim(2500, 0, 30, 10),
    "robustness": Claim(2500, 0, 60, 250),
}
# Numbers that a fit keeps of each pixel of a batch, to compute gradients with.
PRETRAINED = 400  # efficientnet_lite0, of which 0.7 are trained: 120; all of resnet50: 300
FROM_SCRATCH = 45  # for each channel of `width`: 22
BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}


def memory(rule: str, threads: int, attempt: int, options: dict[str, Any] | None = None) -> int:
    """The MB of a job, at the first attempt and the later ones; `options` are those of the network that it trains."""
    claim = CLAIMS[rule]
    return attempt * (claim.mb + claim.mb_a_core * threads + _activations(options or {}))


def minutes(rule: str, inputs: Iterable[str], attempt: int, times: int = 1) -> int:
    """The minutes of a job that reads its inputs so many times, as far as they are there yet."""
    claim = CLAIMS[rule]
    return attempt * (claim.minutes + round(claim.minutes_a_gb * times * sum(map(_bytes, inputs)) / 1e9))


def _activations(options: dict[str, Any]) -> int:
    """The MB that a batch takes; none where a network does not train on pixels."""
    side = max(options.get("sizes", [options.get("size", 0)])) * options.get("enlarge", 1)
    batch = options.get("batch", 0)
    numbers = PRETRAINED if "backbone" in options else FROM_SCRATCH * options.get("width", 1)
    return round(batch * side**2 * numbers * BYTES.get(options.get("precision", ""), 4) / 1e6)


def _bytes(path: str) -> int:
    found = Path(path)
    if found.is_dir():
        return sum(each.st_size for each in files(found).values())
    return found.stat().st_size if found.exists() else 0
