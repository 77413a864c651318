"""What a user's own files hold, which no step wrote a digest file for; read again only if they may have changed.

The Snakefile asks at its every start and in the process of each job. No TensorFlow.
"""

import hashlib
import json
import os
from pathlib import Path

from podium.digests import combined, digest, files

MEMORY = Path(".snakemake/podium")
Entry = list[int]  # size in bytes, and the times in ns of the last change of a file's content and of its entry


def content(path: Path) -> str:
    """`digests.digest` of a file or a folder, for which only files with another size or time are read.

    What was found is kept in a file for each path. It is replaced at once, so that several processes may ask.
    """
    found = files(path) if path.is_dir() else {"": path.stat()}
    entries = {name: [each.st_size, each.st_mtime_ns, each.st_ctime_ns] for name, each in sorted(found.items())}
    state = hashlib.sha256(json.dumps(entries).encode()).hexdigest()
    memory = MEMORY / f"{hashlib.sha256(os.fsencode(path.absolute())).hexdigest()[:16]}.jsonl"
    known: dict[str, tuple[Entry, str]] = {}
    if memory.exists():
        with memory.open(encoding="utf-8") as file:
            before = json.loads(file.readline())
            if before["state"] == state:
                return before["content"]
            known = json.loads(file.readline())
    known = {name: (entry, _digest(path / name, entry, *known.get(name, ()))) for name, entry in entries.items()}
    whole = combined({name: each for name, (_, each) in known.items()}) if path.is_dir() else known[""][1]
    _remember(memory, {"state": state, "content": whole}, known)
    return whole


def _digest(path: Path, entry: Entry, before: Entry | None = None, known: str = "") -> str:
    return known if entry == before else digest(path)


def _remember(memory: Path, *lines: object) -> None:
    memory.parent.mkdir(parents=True, exist_ok=True)
    partial = memory.with_suffix(f".{os.getpid()}")
    partial.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    partial.replace(memory)
