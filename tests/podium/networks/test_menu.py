"""The menu of networks: true, and all that another network takes beside its file, its settings and its defaults."""

import ast
import shutil
from pathlib import Path

import pytest
import yaml
from conftest import ROOT, copy_project, edit, jobs, snakemake

from podium.networks import NETWORKS

FOLDER = "workflow/scripts/podium/networks"


def arguments(name: str) -> set[str]:
    """What a network's `fit` takes by name, or the one that it hands everything to."""
    tree = ast.parse((ROOT / f"{FOLDER}/{name}.py").read_text())
    (fit,) = (node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == "fit")
    return {each.arg for each in fit.args.kwonlyargs} or arguments("dense")


@pytest.mark.parametrize("name", NETWORKS)
def test_it_says_of_each_network_what_its_fit_and_its_settings_are(name: str) -> None:
    taken = arguments(name)
    schema = yaml.safe_load((ROOT / "workflow/schemas/experiment.yaml").read_text())
    settings = set(schema["properties"]["train"]["properties"][name]["properties"])
    assert ({"backbone", "weights"} <= taken) == NETWORKS[name].pretrained
    assert ("views" in settings) == (NETWORKS[name].reads == "embeddings")
    assert ("batch" in settings) == (NETWORKS[name].claims_gpus != "never")
    assert taken - settings <= {"seed", "resume", "backbone", "weights", "size", "fit", "precision", "gpus"}


def contents(project: Path) -> dict[Path, bytes]:
    return {path.relative_to(project): path.read_bytes() for path in project.rglob("*") if path.is_file()}


def add_a_network(project: Path) -> None:
    """`perceptron`, a smaller `mlp`, and an experiment that trains it."""
    folder = project / FOLDER
    shutil.copy(folder / "mlp.py", folder / "perceptron.py")
    lines = (folder / "__init__.py").read_text()
    (line,) = (line for line in lines.splitlines() if '"mlp": ' in line)
    (folder / "__init__.py").write_text(lines.replace(line, f"{line}\n{line.replace('mlp', 'perceptron')}"))

    def settings(schema: dict) -> None:
        networks = schema["properties"]["train"]["properties"]
        networks["perceptron"] = networks["mlp"]

    def defaults(config: dict) -> None:
        config["defaults"]["train"]["perceptron"] = {**config["defaults"]["train"]["mlp"], "epochs": 2, "layers": [8]}
        config["experiments"]["small"] = {"folds": 2, "train": {"network": "perceptron"}}

    edit(project / "workflow/schemas/experiment.yaml", settings)
    edit(project / "config/config.yaml", defaults)


def test_adding_a_network_takes_its_file_its_line_its_settings_and_its_defaults(tmp_path: Path) -> None:
    project = copy_project(tmp_path)
    before = contents(project)
    add_a_network(project)
    after = contents(project)
    files = {f"{FOLDER}/__init__.py", f"{FOLDER}/perceptron.py"}
    files |= {"workflow/schemas/experiment.yaml", "config/config.yaml"}
    assert {str(path) for path in after if after[path] != before.get(path)} == files
    planned = jobs(project, "results/digits/small/submission.csv")
    for rule in ("train", "predict"):
        assert {each["fit"] for name, each in planned if name == rule} == {"seed0-fold0", "seed0-fold1"}
    assert "embed" not in {name for name, _ in planned}


@pytest.mark.slow
def test_a_network_that_was_added_trains_and_hands_in(tmp_path: Path) -> None:
    project = copy_project(tmp_path)
    add_a_network(project)
    snakemake(project, "--cores", "all", "results/digits/small/submission.csv")
    assert (project / "results/digits/small/submission.csv").exists()
