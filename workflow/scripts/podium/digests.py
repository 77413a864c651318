"""Digest files: small files that Snakemake compares in the place of large ones. No TensorFlow.

A rule declares `<path>.sha256` beside each output that may be large, and `step.run` writes it. A rule that reads such
an output takes its digest file as an input too, and the output itself as `ancient`: its time is never compared.
"""

import hashlib
import os
import stat
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

SUFFIX = ".sha256"
Answer = Callable[[Any], str | list[str]]  # a function of a rule's wildcards


def digests(*files: str | Answer) -> list[str | Answer]:
    """The digest files of these paths, and of those that functions of the wildcards return."""
    return [_of_those(each) if callable(each) else f"{each}{SUFFIX}" for each in files]


def _of_those(answer: Answer) -> Answer:
    def digest_files(wildcards: Any) -> list[str]:
        found = answer(wildcards)
        return [f"{each}{SUFFIX}" for each in ([found] if isinstance(found, str) else found)]

    return digest_files


def digest(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal; that of the names and contents of the files if it is a folder."""
    if path.is_dir():
        return combined({name: digest(path / name) for name in files(path)})
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def combined(found: dict[str, str]) -> str:
    """One digest of the names of files and the digest of each."""
    whole = hashlib.sha256()
    for name in sorted(found):
        whole.update(f"{name}\n{found[name]}\n".encode(errors="surrogateescape"))
    return whole.hexdigest()


def files(folder: Path) -> dict[str, os.stat_result]:
    """The files below a folder by their relative names, and the system's entry of each; no links to nothing."""
    found, above = {}, len(f"{folder}/")
    for at, _, names in os.walk(folder):
        for path in (f"{at}/{name}" for name in names):  # text, since there may be a million
            with suppress(FileNotFoundError):
                if stat.S_ISREG((entry := os.stat(path)).st_mode):  # noqa: PTH116
                    found[path[above:]] = entry
    return found
