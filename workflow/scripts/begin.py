"""Look into an archive and write its competition file. Run by hand; no rule uses it."""

import argparse
import re
import subprocess
import sys
import textwrap
from pathlib import Path

from podium.begin.draft import MINUTES, Draft, draft
from podium.begin.written import written
from podium.plan.config import COMPETITIONS
from podium.step import BadInput, without_chatter

ROOT = Path(__file__).parents[2]
SHOWN, NOTES = 150, 3  # characters of a line, and notes, on the terminal
ENDINGS = re.compile(r"(\.(zip|tar|tgz|gz|bz2|xz|7z))+$", re.IGNORECASE)


def begin(
    archive: Path, *, name: str | None, metric: str | None, minutes: float, force: bool, ask: bool, run: bool
) -> None:
    """Look into an archive, write `config/competitions/NAME.yaml`, and try it with Snakemake's dry run.

    The archive is a zip, a tar, a 7z or a folder. Raises BadInput, in one line, if it is no contest or if the file
    stands already.
    """
    if not archive.exists():
        raise BadInput(f"{archive}: no such file or folder")
    name = name or re.sub(r"[^\w.-]+", "-", ENDINGS.sub("", archive.resolve().name))
    path = ROOT / COMPETITIONS / f"{name}.yaml"
    if path.exists() and not force:
        raise BadInput(
            f"{path.relative_to(ROOT)}: stands already; --force overwrites it, --name NAME takes another name"
        )
    found = draft(archive, metric, minutes)
    found = _asked(found) if ask else found
    before = path.read_text(encoding="utf-8") if path.exists() else None
    _write(path, written(found))
    if run:
        try:
            _try(name)
        except BaseException:
            path.unlink() if before is None else _write(path, before)
            raise
    _tell(found, path.relative_to(ROOT))
    print(f"\nRun it: snakemake --cores all --config competition={name}")


def _asked(found: Draft) -> Draft:
    """The draft with the answers that a person gives on the terminal; without an answer a doubt stands."""
    for doubt in list(found.doubts):
        print(f"{doubt.question} [y/N]", end=" ", flush=True)
        if sys.stdin.readline().strip().lower() in ("y", "yes"):
            found = found.answered(doubt)
    return found


def _write(path: Path, text: str) -> None:
    partial = path.with_name(f".partial-{path.name}")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def _tell(found: Draft, path: Path) -> None:
    """What was understood, and what is in doubt."""
    print(f"{path}:")
    for finding in found.findings:
        print(f"  {_short(finding.why)}")
    for doubt in found.doubts:
        print(f"in doubt: {_short(doubt.question)} The file has the other answer as a comment")
    for note in found.notes[:NOTES]:
        print(f"note: {_short(note)}")


def _short(text: str) -> str:
    return textwrap.shorten(text, SHOWN, placeholder=" …")


def _try(name: str) -> None:
    """Snakemake's dry run; raises BadInput with its words if the file is refused."""
    command = [sys.executable, "-m", "snakemake", "-n", "--quiet", "--cores", "1", "--config", f"competition={name}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        lines = [line.strip() for line in (done.stdout + done.stderr).splitlines() if line.strip()]
        said = [line for line in lines if "podium:" in line] or lines
        raise BadInput(f"the file that was written is refused: {said[-1]}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Look into an archive and write its competition file.")
    parser.add_argument("archive", type=Path, help="a zip, a tar, a 7z or a folder, as the organisers hand it out")
    parser.add_argument("--name", help="what to call the competition; by default what the archive is called")
    parser.add_argument("--metric", help="what the contest is decided by, such as macro_f1")
    parser.add_argument(
        "--minutes",
        type=float,
        default=MINUTES,
        help="from the archive to the submission, for masks and pictures; %(default)s by default",
    )
    parser.add_argument("--force", action="store_true", help="overwrite a competition file that stands")
    parser.add_argument("--ask", action="store_true", help="ask what is in doubt")
    parser.add_argument("--no-run", dest="run", action="store_false", help="leave out Snakemake's dry run")
    arguments = parser.parse_args()
    without_chatter()
    try:
        begin(**vars(arguments))
    except BadInput as error:
        parser.exit(1, f"begin: {error}\n")


if __name__ == "__main__":
    main()
