"""Contests as their organisers ship them go from the archive to a grade without a line written by hand."""

from pathlib import Path

import pytest
from conftest import GROCERY, SHARED, copy_project
from contests import enter

TOOLS = SHARED.parent / "tools"
FEW = (60, 20)  # photos to train on and to answer

pytestmark = pytest.mark.skipif(not (TOOLS.is_dir() and GROCERY.is_file()), reason=f"needs {TOOLS} and {GROCERY}")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_project(tmp_path_factory.mktemp("contests") / "project")


@pytest.mark.parametrize(
    "contest",
    [
        "dogs-vs-cats-redux-kernels-edition",  # labels in the names of files, and one class's probability
        "plant-pathology-2020-fgvc7",  # labels in columns, and probabilities
        *(
            pytest.param(contest, marks=pytest.mark.slow)
            for contest in (
                "aptos2019-blindness-detection",  # grades
                "hotel-id-2021-fgvc8",  # a column beside the id in the path, and the five likeliest labels
                "imet-2020-fgvc7",  # lists of labels
                "petfinder-pawpularity-score",  # a number, and numbers beside the photos
                "inaturalist-2019-fgvc6",  # tables in COCO's form, and archives in the archive
                "ranzcr-clip-catheter-line-classification",  # several labels in columns, and groups
            )
        ),
    ],
)
def test_the_submission_is_accepted_and_beats_the_sample(project: Path, contest: str) -> None:
    entered = enter(project, TOOLS, GROCERY, contest, FEW)
    assert entered.beats_the_sample, entered
