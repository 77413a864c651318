"""Every mask of real archives comes back as it was: as the file that is kept, as run lengths, and as handed in."""

import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from conftest import ROOT, SHARED

from podium import tasks
from podium.photos import masks
from podium.tasks.segmentation import Task

ARCHIVES = {"flowers17": "flowers17-masks.zip", "camvid": "camvid.zip"}


@pytest.mark.slow
@pytest.mark.parametrize("competition", ARCHIVES)
def test_every_training_mask_comes_back(competition: str, tmp_path: Path) -> None:
    if not (path := SHARED / ARCHIVES[competition]).is_file():
        pytest.skip(f"no {path}")
    facts = yaml.safe_load((ROOT / f"config/competitions/{competition}.yaml").read_text())
    said = {"void": [], "answer": None, "runs": "columns", "side": 16} | facts["segmentation"]
    task = tasks.task({"segmentation": said | {"fit": "squash", "folder": str(tmp_path), "metric": "mean_iou"}})
    assert isinstance(task, Task)
    values = [each if isinstance(each, int) else each[0] for each in said["classes"].values()]
    with zipfile.ZipFile(path) as archive:
        names = [name for name in archive.namelist() if name.startswith("train/masks/")]
        assert len(names) > 300
        for name in names:
            own = masks.read(archive.read(name))
            height, width = own.shape
            (tmp_path / "kept.png").write_bytes(task.drawn(task.read_file(name), archive.read, width, height))
            kept = task.target("kept.png")
            there = kept != masks.VOID
            np.testing.assert_array_equal(np.array(values)[kept[there]], own[there])
            assert set(own[~there].tolist()) <= set(said["void"])
            for order in ("columns", "rows"):
                for number in (0, len(values) - 1):
                    text = masks.runs(kept == number, order)
                    np.testing.assert_array_equal(masks.from_runs(text, width, height, order), kept == number)
            if there.all():
                sure = (kept[..., None] == np.arange(len(values))).astype(np.float32)
                task.check_file(name, masks.encode(np.array(values, np.uint8)[sure.argmax(-1)]), width, height)
