"""Download or copy the competition's archive, check it, and store it as one zip file."""

import hashlib
import io
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from podium.archives import kaggle, kinds
from podium.archives import opening as archives
from podium.archives.delimited import format_table
from podium.archives.members import Part, members
from podium.archives.unpacking import unpacked
from podium.progress import Progress
from podium.step import BadInput, Output, log, run

RETRIES = 5
CHUNK = 1 << 18
KAGGLE = "kaggle:"
DIGITS_TEST_EVERY = 5


def download(
    source: Output,
    *,
    archive: str | None,
    sha256: str | None,
    files: dict[str, dict[str, str]] | None,
    unpack: dict[str, str],
) -> None:
    """Download or copy the competition's archive, check it, and store it as one zip file.

    `archive` is a URL, a zip, tar or 7z file, a folder, `kaggle:NAME` or `builtin:digits`; without one, `files` gives
    the `url` and the `sha256` of each file by its name. `unpack` gives the folder that replaces each
    archive inside the archive that it names, and contains its files. Raises BadInput for members that are links, lead
    outside the archive or occur twice, for a wrong sha256, and for an archive to unpack that is not there.
    """
    if archive is None:
        _put_together(_files(files or {}, source.parent), "archive", unpack, source)
    elif archive == "builtin:digits":
        _put_together(_digits(), archive, unpack, source)
    elif archive.startswith(KAGGLE) or "://" in archive:
        fetch = _fetch_from_kaggle if archive.startswith(KAGGLE) else _fetch
        with tempfile.TemporaryDirectory(dir=source.parent) as folder:
            _take(fetch(archive, Path(folder)), archive, sha256, unpack, source)
    else:
        _take(Path(archive).expanduser(), archive, sha256, unpack, source)
    if odd := next((member.name for member in members(source) if "\\" in member.name), None):
        log.warning("WARNING: backslashes in names are read as slashes: '%s' is '%s'", odd, odd.replace("\\", "/"))


def _put_together(members: Iterator[tuple[str, bytes]], name: str, unpack: dict[str, str], source: Path) -> None:
    """Write the archive of these members, which messages call `name`."""
    if not unpack:
        archives.write_zip(source, members)
        return
    with tempfile.TemporaryDirectory(dir=source.parent) as folder:
        archives.write_zip(whole := Path(folder, "whole.zip"), members)
        archives.write_zip(source, unpacked(whole, name, unpack, source.parent))


def _files(files: dict[str, dict[str, str]], beside: Path) -> Iterator[tuple[str, bytes]]:
    """The name and the bytes of each file, downloaded and checked one after the other."""
    for name, file in files.items():
        with tempfile.TemporaryDirectory(dir=beside) as folder:
            path = _fetch(file["url"], Path(folder))
            _check_digest(path, file["url"], file["sha256"])
            archives.check_size(file["url"], size := path.stat().st_size, size)
            yield name, path.read_bytes()


def _take(path: Path, name: str, sha256: str | None, unpack: dict[str, str], source: Path) -> None:
    """Check the archive at `path`, which messages call `name`, and write it as a zip."""
    if not path.exists():
        raise BadInput(f"{name}: no such archive")
    if path.is_file():
        _check_digest(path, name, sha256)
    found = None if path.is_dir() else kinds.kind(Part.whole(path, name))
    if unpack or found == "7z":
        archives.write_zip(source, unpacked(path, name, unpack, source.parent))
    elif path.is_dir():
        archives.write_zip(source, kinds.folder_members(path))
    elif found == "zip":
        archives.check_zip(Part.whole(path, name))
        shutil.copyfile(path, source)
    elif found == "tar":
        archives.write_zip(source, kinds.tar_members(Part.whole(path, name)))
    else:
        raise BadInput(f"{name}: {kinds.UNKNOWN}")


def _check_digest(path: Path, name: str, sha256: str | None) -> None:
    if sha256 is None:
        return
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise BadInput(f"{name}: its sha256 is {found}, the competition file states {sha256}")


def _fetch(url: str, folder: Path) -> Path:
    """Download with progress; after a lost connection, the download is tried again a few seconds later."""
    import pooch  # takes half a second and is needed only for downloads
    import requests

    name = "archive"
    log.info("downloading %s", url)
    registry = pooch.create(path=folder, base_url="", registry={name: None}, urls={name: url}, retry_if_failed=RETRIES)
    downloader = pooch.HTTPDownloader(progressbar=Progress(0, "bytes"), chunk_size=CHUNK)
    try:
        return Path(registry.fetch(name, downloader=downloader))
    except requests.exceptions.RequestException as error:
        raise BadInput(f"{url}: cannot be downloaded ({error})") from error


def _fetch_from_kaggle(archive: str, folder: Path) -> Path:
    """The one file that Kaggle's client downloads."""
    kaggle.call(archive.removeprefix(KAGGLE), "download", "-p", str(folder), "-q")
    files = list(folder.iterdir())
    if len(files) != 1:
        raise BadInput(f"{archive}: the client downloaded {len(files)} files instead of one archive")
    return files[0]


def _digits() -> Iterator[tuple[str, bytes]]:
    """scikit-learn's 1,797 handwritten digits (UCI, 8 x 8 pixels) as PNG files; every fifth is a test photo."""
    from PIL import Image
    from sklearn.datasets import load_digits

    digits = load_digits()
    train: list[list[str]] = []
    test: list[list[str]] = []
    for number, (pixels, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        is_test = number % DIGITS_TEST_EVERY == 0
        name, encoded = f"{number:04}.png", io.BytesIO()
        Image.fromarray((pixels * 255 / 16).round().astype("uint8")).save(encoded, "PNG")
        (test if is_test else train).append([name, str(label)])
        yield f"{'test' if is_test else 'train'}/{name}", encoded.getvalue()
    yield "train.csv", format_table(["file", "label"], train).encode()
    yield "test.csv", format_table(["file"], [[name] for name, _ in test]).encode()
    yield "sample_submission.csv", format_table(["file", "label"], [[name, "0"] for name, _ in test]).encode()


if __name__ == "__main__":
    run(download)
