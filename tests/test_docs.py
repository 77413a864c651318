"""Every example in the documents does what they say: blocks of YAML make a plan, and commands are ones that exist."""

import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import PLANNED, ROOT, TABLES, competition, copy_project, snakemake, write_zip

from podium.archives.layouts import LAYOUTS
from podium.plan.plan import Plan
from podium.plan.settings import merge

DOCUMENTS = [ROOT / "README.md", ROOT / "config/README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCKS = [
    pytest.param(yaml.safe_load(block), id=f"{path.relative_to(ROOT)}:{number}")
    for path in DOCUMENTS
    for number, block in enumerate(re.findall(r"^```yaml\n(.*?)^```", path.read_text(), re.M | re.S), 1)
]
UNVALIDATED = {split: table for split, table in TABLES.items() if split != "validation"}


def commands(program: str) -> list[list[str]]:
    """The commands of this program in all documents, of their own lines and in the text, without what is optional."""
    found = {}
    for path in DOCUMENTS:
        text = path.read_text().replace("\\\n", "")
        for line in [*re.findall(r"^    (\S.*)$", text, re.M), *re.findall(r"`([^`]+)`", text)]:
            words = shlex.split(line.replace("…", ""), comments=True) if line.startswith(f"{program} ") else []
            found |= {tuple(words): words} if len(words) > 1 else {}
    return list(found.values())


def planned(project: Path, facts: dict[str, Any], block: dict[str, Any]) -> Plan:
    """The plan of a competition of these facts with this block over config.yaml, of all that the block defines."""
    (project / "config/competitions/leaves.yaml").write_text(yaml.safe_dump(facts))
    run = [*block.get("experiments", {}), *block.get("ensembles", {})]
    given = {"competition": "leaves", "archive": "pets.zip", **({"run": run} if run else {})}
    return Plan(merge(merge(PLANNED, block), given), given)


@pytest.mark.parametrize("block", BLOCKS)
def test_a_block_of_yaml_makes_a_plan(project: Path, block: dict[str, Any]) -> None:
    """What is said of a competition does, whatever its archive; experiments do with a validation table and without."""
    if "experiments" in block or "ensembles" in block:
        for tables in (TABLES, UNVALIDATED):
            made = planned(project, {"tables": tables}, block)
            for name in [*block.get("experiments", {}), *block.get("ensembles", {})]:
                assert f"results/leaves/{name}/submission.csv" in made.targets
        return
    facts = block if set(block) & set(LAYOUTS) else {"tables": UNVALIDATED, **block}
    assert planned(project, facts, {}).targets[-1] == "results/leaves/leaderboard.csv"


def test_there_are_blocks_of_both_kinds_and_commands_of_each_program() -> None:
    blocks = [parameter.values[0] for parameter in BLOCKS]
    assert any("ensembles" in block for block in blocks)
    assert any(set(block) & set(LAYOUTS) for block in blocks)
    assert min(len(commands(program)) for program in ("snakemake", "python", "make")) >= 2


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project with the competition that the documents speak of, its archive, and a photo."""
    project = copy_project(tmp_path_factory.mktemp("project"))
    write_zip(project / "leaves.zip", competition(train=2))
    zipped = {"file": "{day}_{attempt}.csv", "attempts": 3}
    facts = {"archive": "leaves.zip", "tables": UNVALIDATED, "submission": {"zip": zipped}}
    (project / "config/competitions/leaves.yaml").write_text(yaml.safe_dump(facts))
    return project


@pytest.mark.parametrize("words", [pytest.param(words, id=shlex.join(words)) for words in commands("snakemake")])
def test_a_command_of_snakemake_s_has_jobs_to_do(prepared: Path, words: list[str]) -> None:
    words = [word.replace("PATH", "leaves.zip").replace("=NAME", "=leaves") for word in words[1:]]
    if "--unlock" in words:
        snakemake(prepared, *words)
        return
    if any(word in ("send",) or word.endswith("/sent.csv") for word in words):
        words = [*words, *([] if "--config" in words else ["--config"]), "archive=kaggle:leaves"]
    said = snakemake(prepared, "--dry-run", *words)
    assert "Job stats:" in said
    assert "Traceback" not in said


@pytest.mark.parametrize("words", [pytest.param(words, id=shlex.join(words)) for words in commands("python")])
def test_a_script_takes_the_flags_that_it_is_shown_with(words: list[str]) -> None:
    done = subprocess.run([sys.executable, words[1], "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    flags = {word for word in words[2:] if word.startswith("--")}
    assert flags <= set(re.findall(r"--[\w-]+", done.stdout))


@pytest.mark.parametrize("words", [pytest.param(words, id=shlex.join(words)) for words in commands("make")])
def test_make_has_the_target(words: list[str]) -> None:
    subprocess.run(["make", "--dry-run", *words[1:]], cwd=ROOT, capture_output=True, check=True)
