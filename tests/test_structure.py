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

from podium.archives.layouts import LAYOUTS
from podium.backbones.families import FAMILIES
from podium.networks import NETWORKS
from podium.tasks import TASKS

SCRIPTS = ROOT / "workflow/scripts"
# What a person runs beside the steps: no rule calls it, and its flags are its own.
BY_HAND = ("begin", "classify", "describe", "look", "recognise")
STEPS = sorted({path.stem for path in SCRIPTS.glob("*.py")} - {*BY_HAND})
MODULES = sorted((SCRIPTS / "podium").rglob("*.py"))
RULES = "\n".join(path.read_text() for path in sorted((ROOT / "workflow/rules").glob("*.smk")))
# What stands in podium/, floor by floor, the lowest first; the scripts stand above it all.
FLOORS = (
    {"step", "digests", "progress", "machine", "device", "arrays", "tables"},
    {"archives", "photos", "backbones"},
    {"models", "networks", "tasks", "predictions"},
    {"plan", "begin"},
)
# The menus, by the folders whose files they offer.
MENUS = {"archives/layouts": LAYOUTS, "backbones": FAMILIES, "networks": NETWORKS, "tasks": TASKS}
# What a step may not import before it runs, since it costs seconds a process, and the rooms whose modules may.
HEAVY = ("tensorflow", "keras", "matplotlib")
TOUCH_WEIGHTS = {"backbones", "networks", "device"}


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
        assert re.search(rf"=((update|directory)\()?{re.escape(each)}\)?,$", made, re.M), "a digest file of no output"
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


def relative(path: Path) -> str:
    return path.relative_to(SCRIPTS).as_posix()


def module(path: Path) -> str:
    return relative(path).removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def room(name: str) -> str:
    """What stands on a floor and contains this module; empty for podium itself and for what is not ours."""
    return f"{name}.".split(".")[1] if name.startswith("podium.") else ""


def by_name(path: Path) -> set[str]:
    """The modules, or the rooms of modules, that a file imports by a name that it is given or puts together."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and ast.unparse(node.func).endswith("import_module"):
            name = node.args[0].values[0] if isinstance(node.args[0], ast.JoinedStr) else node.args[0]
            found |= {name.value.rstrip(".")} if isinstance(name, ast.Constant) else set()
    return found


def needs_tensorflow(path: Path) -> bool:
    return "Needs TensorFlow." in (ast.get_docstring(ast.parse(path.read_text())) or "")


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_podium_imports_nothing_of_a_higher_floor(path: Path) -> None:
    floors = {name: number for number, floor in enumerate(FLOORS) for name in floor}
    own = room(module(path))
    assert not own or own in floors, f"{own} stands on no floor"
    there = {room(module(each)) for each in MODULES} - {""}  # `from podium import SPLITS` imports no module
    used = {room(name) for name in imports(path) | by_name(path)} & there
    assert not {name for name in used if floors[name] > floors.get(own, -1)}


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_podium_knows_neither_scripts_nor_config_nor_snakemake(path: Path) -> None:
    found = imports(path) | by_name(path)
    assert not found & {*STEPS, *BY_HAND}
    assert not {name for name in found if name.split(".")[0] == "snakemake"}
    if room(module(path)) != "plan":
        assert "config/" not in ast.unparse(ast.parse(path.read_text())).replace("config/README.md", "")


@pytest.mark.parametrize("script", sorted({*STEPS, *BY_HAND} - {"begin"}))  # which writes what the plan reads
def test_no_script_knows_the_plan(script: str) -> None:
    path = SCRIPTS / f"{script}.py"
    assert "plan" not in {room(name) for name in imports(path) | by_name(path)}


@pytest.mark.parametrize("path", [*SCRIPTS.glob("*.py"), *MODULES], ids=relative)
def test_tensorflow_is_imported_only_where_pixels_or_weights_are_touched(path: Path) -> None:
    """A module that imports it in order to be imported itself says so, and stands where it may."""
    needing = {module(each) for each in MODULES if needs_tensorflow(each)}
    heavy = {name for name in imports(path, everywhere=False) if name.split(".")[0] in HEAVY or name in needing}
    assert bool(heavy) == needs_tensorflow(path)
    assert not heavy or room(module(path)) in TOUCH_WEIGHTS


@pytest.mark.parametrize("folder", MENUS)
def test_a_menu_offers_the_files_that_are_imported_by_name_alone(folder: str) -> None:
    """The other files of its folder are what these share."""
    named = {name for path in [*(SCRIPTS / f"{step}.py" for step in STEPS), *MODULES] for name in imports(path)}
    files = {module(path) for path in (SCRIPTS / "podium" / folder).glob("[!_]*.py")}
    assert {name.rpartition(".")[2] for name in files - named} == set(MENUS[folder])


def test_what_is_on_a_menu_has_its_settings_in_the_schema_and_no_one_else_has() -> None:
    def blocks(name: str, *keys: str) -> set[str]:
        block = yaml.safe_load((ROOT / f"workflow/schemas/{name}.yaml").read_text())["properties"]
        for key in keys:
            block = block[key]["properties"]
        return {key for key, each in block.items() if each.get("type") == "object" and not each.get("default")}

    assert blocks("experiment", "train") == set(NETWORKS)
    assert blocks("competition") == set(LAYOUTS)


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
