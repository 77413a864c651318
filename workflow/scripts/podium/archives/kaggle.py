"""Kaggle, through its official command line client. No TensorFlow."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from podium.step import BadInput, log

# What to do, by patterns in the client's output.
REMEDIES = {
    r"authenticat|unauthorized|\b401\b|kaggle\.json": "no token: make one at https://www.kaggle.com/settings/api and "
    "save it to ~/.kaggle/access_token, or set KAGGLE_API_TOKEN",
    r"forbidden|\b403\b": "not allowed: join the competition on its page and accept its rules",
    r"not found|\b404\b": "no such competition",
}


def call(competition: str, command: str, *arguments: str) -> str:
    """The client's output for a command about a competition.

    Raises BadInput, with one line that states what to do, if the client is missing or fails.
    """
    client = shutil.which("kaggle") or shutil.which("kaggle", path=str(Path(sys.executable).parent))
    if client is None:
        raise BadInput(
            f"kaggle:{competition}: Kaggle's client is missing: run `{sys.executable} -m pip install kaggle`, "
            "or use the competition's page by hand"
        )
    done = subprocess.run(
        [client, "competitions", command, "-c", competition, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    said = f"{done.stderr}\n{done.stdout}"
    log.debug("%s", said)
    if done.returncode:
        lines = [line.strip() for line in said.splitlines() if line.strip()] or [f"exit status {done.returncode}"]
        remedy = (text for pattern, text in REMEDIES.items() if re.search(pattern, said, re.IGNORECASE))
        raise BadInput(f"kaggle:{competition}: {command}: {next(remedy, lines[-1])}")
    return done.stdout
