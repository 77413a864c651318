import gzip
import io
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import ROOT, SUBJECTS, photo, table, write_tfrecord
from PIL import Image

from describe import describe
from podium.photos import images, records
from podium.step import BadInput

PHOTOS = [photo(SUBJECTS[number % 4], number, 40) for number in range(11)]
GREY = np.random.default_rng(0).integers(0, 256, (3, 6, 6), np.uint8)


def described(file: Path, **given: object) -> None:
    describe(file, **({"picture": None, "image": None, "shape": None} | given))


def test_each_feature_has_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    examples = [
        {"image": data, "class": number, "box": [0.5] * (4 * number + 4), "raw": GREY[0].tobytes() * 3}
        for number, data in enumerate(PHOTOS[:4])
    ]
    file = write_tfrecord(tmp_path / "some.tfrecord", *examples, {"image": b"caf\xc3\xa9", "class": 9})
    described(file)
    lines = [[cell for cell in line.split("  ") if cell] for line in capsys.readouterr().out.splitlines()]
    assert [[cell.strip() for cell in line] for line in lines] == [
        [f"{file}: 5 records"],
        ["feature", "type", "values", "records", "the first"],
        [
            "box",
            "float",
            "4 to 16",
            "4",
            "0.5, 0.5, 0.5, … (2 x 2?) | 0.5, 0.5, 0.5, … | 0.5, 0.5, 0.5, … (2 x 2 x 3?)",
        ],
        ["class", "int64", "1", "5", "0 | 1 | 2"],
        ["image", "bytes", "1", "5", "JPEG of 40 x 40 | JPEG of 40 x 40 | JPEG of 40 x 40"],
        ["raw", "bytes", "1", "4", "108 bytes (6 x 6 x 3?) | 108 bytes (6 x 6 x 3?) | 108 bytes (6 x 6 x 3?)"],
    ]


@pytest.mark.parametrize("zipped", [False, True])
def test_the_picture_shows_the_first_images_in_their_order(tmp_path: Path, zipped: bool) -> None:
    file, picture = tmp_path / "train-0.tfrecord", tmp_path / "grid.png"
    records.write(file, [records.Record(str(number), data, "x") for number, data in enumerate(PHOTOS)])
    if zipped:
        file.write_bytes(gzip.compress(file.read_bytes()))
    described(file, picture=picture)
    grid = np.asarray(Image.open(picture))
    assert grid.shape == (2 * 96, 8 * 96, 3)
    for number, data in enumerate(PHOTOS):
        top, left = 96 * (number // 8), 96 * (number % 8)
        assert np.array_equal(grid[top : top + 96, left : left + 96], images.decode(data, 96))
    assert (grid[96:, 3 * 96 :] == 255).all()


def test_pixels_are_drawn_by_their_shape(tmp_path: Path) -> None:
    file, picture = tmp_path / "some.tfrecord", tmp_path / "grid.png"
    write_tfrecord(file, *({"pixels": pixels.ravel().tolist()} for pixels in GREY))
    described(file, picture=picture, image="pixels", shape=[6, 6])
    shown = np.asarray(Image.open(picture).convert("L").crop((96, 0, 192, 96)).resize((6, 6), Image.Resampling.BOX))
    assert np.abs(shown.astype(int) - GREY[1]).max() < 64
    assert np.corrcoef(shown.ravel(), GREY[1].ravel())[0, 1] > 0.97
    for given, message in [
        (
            {"image": "pixels", "shape": [6, 5]},
            r"record 0: 'pixels' contains 36 values of type int64; the shape requires 6 x 5",
        ),
        ({"image": "photo"}, r"record 0 has no feature 'photo' \(there are: pixels\)"),
        ({}, "no feature contains an encoded image; name one with pixels by --image and --shape"),
    ]:
        with pytest.raises(BadInput, match=message):
            described(file, picture=tmp_path / "other.png", **given)
    assert not (tmp_path / "other.png").exists()


def test_what_is_no_whole_tfrecord_file_ends_in_one_line(tmp_path: Path) -> None:
    broken, cut, other = tmp_path / "broken", tmp_path / "cut", tmp_path / "other.csv"
    records.write(broken, [records.Record("a", b"x", "y")] * 2)
    cut.write_bytes(gzip.compress(broken.read_bytes())[:-9])
    broken.write_bytes(broken.read_bytes()[:-1] + b"?")
    other.write_bytes(table(["file"], [["a.jpg"]]))
    for file, message in [
        (broken, "record 1 is damaged"),
        (cut, "not a complete gzip file"),
        (other, "record 0 is damaged, or this is not a TFRecord file"),
        (tmp_path / "gone", "no such file"),
    ]:
        command = [sys.executable, ROOT / "workflow/scripts/describe.py", file]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 1
        assert done.stderr.startswith(f"error: {file}: {message}")
        assert done.stderr.count("\n") == 1


def test_it_runs_by_hand_without_tensorflow(tmp_path: Path) -> None:
    file = tmp_path / "train-0.tfrecord"
    records.write(file, [records.Record("a.jpg", PHOTOS[0], "x")])
    code = (
        f"import sys, runpy; sys.argv = ['describe.py', {str(file)!r}, '--picture', {str(tmp_path / 'grid.png')!r}]\n"
    )
    code += f"runpy.run_path({str(ROOT / 'workflow/scripts/describe.py')!r}, run_name='__main__')\n"
    code += "print('heavy:', [name for name in ('tensorflow', 'keras') if name in sys.modules])"
    path = {"PYTHONPATH": str(ROOT / "workflow/scripts")}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=path)
    assert "1 records" in done.stdout
    assert "heavy: []" in done.stdout
    assert Image.open(io.BytesIO((tmp_path / "grid.png").read_bytes())).size == (768, 96)
