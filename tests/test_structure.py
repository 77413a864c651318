"""The house is as CONTRIBUTING.md says: floors, one rule, one script, one function, one name."""

import ast
import importlib
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import ROOT

SCRIPTS = ROOT / "workflow/scripts"
# What a person runs beside the steps: no rule calls it, and its flags are its own.
BY_HAND = ("classify", "describe", "look", "recognise")
STEPS = sorted({path.stem for path in SCRIPTS.glob("*.py")} - {*BY_HAND})
MODULES = sorted((SCRIPTS / "podium").rglob("*.py"))
RULES = "\n".join(path.read_text() for path in sorted((ROOT / "workflow/rules").glob("*.smk")))
# What a step may not import before it runs, since it costs seconds a process.
HEAVY = ("tensorflow", "keras", "matplotlib")
TOUCH_WEIGHTS = ("efficientnet_lite.py", "keras_applications.py", "saved_model.py", "cnn.py", "finetune.py")
TOUCH_WEIGHTS += (
    "augmentation.py",
    "events.py",
    "mlp.py",
    "scratch.py",
    "training.py",
    "depthwise.py",
    "folding.py",
    "device.py",
)


def imports(path: Path, everywhere: bool = True) -> set[str]:
    """Modules that a file imports: everywhere in it, or only when it is itself imported."""
    tree = ast.parse(path.read_text())
    nodes = ast.walk(tree) if everywhere else tree.body
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return found


@pytest.mark.parametrize("step", STEPS)
def test_one_rule_one_script_one_function(step: str) -> None:
    rule = re.search(rf"^rule {step}:(.*?)(?=^rule |\Z)", RULES, re.M | re.S)
    assert rule, f"no rule {step}"
    assert f'"../scripts/{step}.py"' in rule[1]
    function = getattr(importlib.import_module(step), step)
    parameters = inspect.signature(function).parameters
    files = [name for name, each in parameters.items() if each.kind is not each.KEYWORD_ONLY]
    named = re.findall(r"^        (\w+)=", rule[1].partition("    log:")[0], re.M)
    assert named == files, "the rule's named files are the function's positional parameters, in their order"
    assert f'plan.code("{step}"' in rule[1]
    assert f'mem_mb=plan.memory("{step}"),\n        runtime=plan.minutes("{step}"),' in rule[1]
    # Snakemake removes any other output before the step could add to it.
    growing = [name for name in files if "growing" in getattr(parameters[name].annotation, "__metadata__", ())]
    assert all(f"{name}=update(" in rule[1] for name in growing)
    assert inspect.getdoc(function)


@pytest.mark.parametrize("step", STEPS)
def test_of_every_file_that_is_ancient_the_digest_is_compared(step: str) -> None:
    rule = re.search(rf"^rule {step}:(.*?)(?=^rule |\Z)", RULES, re.M | re.S)
    assert rule
    given, made, _ = re.split(r"^    (?:output|log):\n", rule[1], maxsplit=2, flags=re.M)
    ancient = re.findall(r"=ancient\((.+)\),$", given, re.M)
    assert sorted(digested(given)) == sorted(ancient)
    for each in digested(made):
        assert re.search(rf"=(update\()?{re.escape(each)}\)?,$", made, re.M), "a digest file of no output"
        assert f"={each}," not in re.sub(r"^    output:\n.*?^    log:\n", "", RULES, flags=re.M | re.S), "not ancient"


def digested(block: str) -> list[str]:
    """What a block of a rule asks the digest files of."""
    found = re.search(r"\bdigests\((.*?)\)+,\n(?=        \w|$|\Z)", block, re.S)
    return [each.strip() for each in re.split(r",\s+(?!w\))", found[1].strip().rstrip(","))] if found else []


@pytest.mark.parametrize("script", BY_HAND)
def test_what_runs_by_hand_is_no_rule_and_has_its_own_help(script: str) -> None:
    assert f"rule {script}:" not in RULES
    said = "".join(path.read_text() for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")])
    assert f"scripts/{script}.py" in said
    command = [sys.executable, SCRIPTS / f"{script}.py", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.startswith("usage: ")
    assert done.stderr == ""
    assert inspect.getdoc(getattr(importlib.import_module(script), script))


@pytest.mark.parametrize("script", [*STEPS, *BY_HAND])
def test_scripts_do_not_import_each_other(script: str) -> None:
    assert not imports(SCRIPTS / f"{script}.py") & {*STEPS, *BY_HAND}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(SCRIPTS)))
def test_podium_knows_neither_scripts_nor_config_nor_snakemake(path: Path) -> None:
    found = imports(path)
    assert not found & {*STEPS, *BY_HAND}
    assert not {name for name in found if name.split(".")[0] == "snakemake"}
    if path.name not in ("plan.py", "config.py", "summary.py"):
        assert not {"podium.plan.plan", "podium.plan.config", "podium.plan.settings", "podium.plan.fingerprint"} & found
        assert "config/" not in ast.unparse(ast.parse(path.read_text())).replace("config/README.md", "")


@pytest.mark.parametrize("path", [*SCRIPTS.glob("*.py"), *MODULES], ids=lambda path: path.name)
def test_tensorflow_is_imported_only_where_pixels_or_weights_are_touched(path: Path) -> None:
    if path.name not in TOUCH_WEIGHTS:
        assert not {name for name in imports(path, everywhere=False) if name.split(".")[0] in HEAVY}


@pytest.fixture(scope="module")
def helps() -> dict[str, str]:
    """What each step says to `--help`, and what it has imported by then: in one process, since imports take long."""
    code = f"""
import contextlib, runpy, sys
for step in {STEPS}:
    sys.argv = [f"{{step}}.py", "--help"]
    with contextlib.suppress(SystemExit):
        runpy.run_path(f"{SCRIPTS}/{{step}}.py", run_name="__main__")
    print("heavy:", [name for name in {HEAVY} if name in sys.modules], end="\\f")
"""
    path = {"PYTHONPATH": str(SCRIPTS)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=path)
    return dict(zip(STEPS, done.stdout.removesuffix("\f").split("\f"), strict=True))


@pytest.mark.parametrize("step", STEPS)
def test_help_comes_without_tensorflow(helps: dict[str, str], step: str) -> None:
    function = getattr(importlib.import_module(step), step)
    assert helps[step].startswith(f"usage: {step}.py ")
    for name in inspect.signature(function).parameters:
        assert (f"--{name.replace('_', '-')}" in helps[step]) == (name != "resume")  # a folder that `run` gives
    assert "heavy: []" in helps[step]


def test_every_key_of_the_schemas_is_explained() -> None:
    explained = (ROOT / "config/README.md").read_text()

    def keys(schema: dict[str, object]) -> set[str]:
        found: set[str] = set()
        for name, value in schema.items():
            if name == "properties" and isinstance(value, dict):
                found |= set(value)
            if isinstance(value, dict):
                found |= keys(value)
        return found

    for path in (ROOT / "workflow/schemas").glob("*.yaml"):
        for key in keys(yaml.safe_load(path.read_text())):
            assert f"`{key}`" in explained, f"config/README.md does not explain `{key}`"


def test_contributing_shows_the_rules_as_they_are() -> None:
    command = [sys.executable, "-m", "snakemake", "--rulegraph", "mermaid-js", "results/digits/linear/submission.csv"]
    command += ["results/digits/linear/curves.png", "results/digits/linear/seed0-fold0/model.keras"]
    command += ["results/digits/leaderboard.csv", "--quiet", "all"]
    command += ["--config", "run=[linear,cnn,both]", "ensembles={both: [linear, cnn]}"]
    graph = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    names = dict(re.findall(r"(id\d+)\[(\w+)\]", graph))
    arrows = {f"{names[a]} --> {names[b]}" for a, b in re.findall(r"(id\d+) --> (id\d+)", graph)}
    drawn = re.search(r"```mermaid\n(.*?)```", (ROOT / "CONTRIBUTING.md").read_text(), re.S)
    assert drawn
    shown = {line.strip() for line in drawn[1].splitlines() if "-->" in line}
    assert shown == arrows
