"""A competition file for an archive: the settings, each with what speaks for it, and what is in doubt. No
TensorFlow."""

import posixpath
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from podium import SPLITS
from podium.archives.delimited import Table
from podium.begin import Doubt, Finding, Settings, beside, budget, description, masks, target
from podium.begin.catalogue import Catalogue
from podium.begin.labels import Asked, fractions, of_two
from podium.begin.paths import Paths, paths
from podium.begin.pictures import pictures
from podium.begin.roles import Listing, Roles, numbers, roles
from podium.begin.target import Target
from podium.plan.settings import merge
from podium.step import BadInput
from podium.tasks import TASKS, general

NAMES, MOST_COLUMNS = re.compile(r"(?i)(label|class|categor|name|map)[^/]*$"), 6  # of tables of the classes' names
MINUTES = 2.5  # from the archive to the submission, where a network is trained on pixels
OF_PROBABILITIES = ("log_loss", "roc_auc", "average_precision")


@dataclass
class Draft:
    """What the competition file says, finding by finding, and what is in doubt."""

    findings: list[Finding] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        """All findings together."""
        made: Settings = {}
        for finding in self.findings:
            made = merge(made, finding.settings)
        return made

    def answered(self, doubt: Doubt) -> "Draft":
        """This draft with the other answer to a doubt."""

        def kept(finding: Finding) -> Settings:
            return {key: own for key, own in finding.settings.items() if key not in taken or taken[key] != own}

        taken = doubt.taken
        findings = [each._replace(settings=kept(each)) for each in self.findings]
        findings = [
            each for each, before in zip(findings, self.findings, strict=True) if each.settings or each == before
        ]
        rest = [each for each in self.doubts if each is not doubt]
        return Draft([*findings, Finding(doubt.other, f"{doubt.question} Yes")], rest, self.notes)

    def add(self, settings: Settings, why: str) -> None:
        self.findings.append(Finding(settings, why))


def draft(path: Path, metric: str | None = None, minutes: float = MINUTES) -> Draft:
    """What is understood of the archive at this path; raises BadInput, in one line, if it is no contest.

    Where each pixel is answered, the plan is for so many `minutes`.
    """
    catalogue = Catalogue(path)
    if not catalogue.photos:
        raise BadInput(f"{path}: no photos ({catalogue.contents.said() if catalogue.names else 'it is empty'})")
    found, made = roles(catalogue), Draft()
    said = f"{len(catalogue.photos):,} photos ({catalogue.seen(catalogue.photos)}) and {len(catalogue.tables)} tables"
    made.add({"archive": str(path.resolve())}, said)
    made.notes += [f"not used: {said}" for name, said in catalogue.skipped.items() if not name.endswith(".json")]
    by_tables = found.train and (found.test or found.sample or not _said_by_paths(catalogue, found.train.table))
    asked = _of_tables(catalogue, found, made) if by_tables else _of_paths(catalogue, found, made)
    if TASKS[made.settings["task"]].dense:
        _planned(catalogue, made, minutes)
    _submission(found, made, asked)
    listings = [each for each in (found.train, found.validation, found.test) if each]
    _unpack(
        catalogue, made, {archive: folder for each in listings for archive, folder in each.template.folders.items()}
    )
    made = _decided(catalogue, made, metric)
    _metric(catalogue, made, metric)
    return made


def _said_by_paths(catalogue: Catalogue, table: Table) -> bool:
    """Whether paths say the labels in a column of this table, and which photos are those of the test, which it lists
    too."""
    try:
        named = paths(catalogue, None)
    except BadInput:
        return False
    return "test" in named.patterns and any(set(named.labels) <= set(table.column(name)) for name in table.header)


def _of_tables(catalogue: Catalogue, found: Roles, made: Draft) -> Asked:
    train, test = found.train, found.test
    assert train
    if test is None:
        said = (
            f"no list of test photos: {train.table.name} lists those to train on, but no table or sample lists others"
        )
        raise BadInput(_reason(catalogue, said))
    for table in found.others:
        if set(table.header) >= set(train.table.header):
            made.notes.append(f"{table.name} has the columns of {train.table.name} too: its rows are not used")
    asked = Asked.of(found.sample)
    real_test = test.table is not found.sample
    shared = set(test.table.header) if real_test else {found.test_id}
    groups = beside.groups(train, asked)
    kept = {*shared, train.template.column, *groups} - set(asked.columns)
    goal = masks.target(catalogue, train.table, train.template.column, asked) or target.of_table(
        train.table, train.template.column, kept, asked, _named(catalogue, found)
    )
    made.findings += goal.findings
    made.doubts += goal.doubts
    _unlabelled(made, train.table, goal.label)
    tables: Settings = {"train": _spec(catalogue, train, goal)}
    if found.validation:
        tables["validation"] = _spec(catalogue, found.validation, goal)
    tables["test"] = {"path": test.table.name, "image": test.template.text, "id": found.test_id}
    made.add({"tables": tables}, _said(train, test, found))
    made.findings += beside.grouping(train, groups, _listed(goal.label), found.others)
    if real_test and not test.table.name.endswith(".json"):
        made.findings += beside.features(train, test, {*kept - shared, *_listed(goal.label), *groups})
    _strict(catalogue, made, [each for each in (train, found.validation, test) if each])
    return asked


def _unlabelled(made: Draft, table: Table, label: str | list[str]) -> None:
    """Rows without a label are set aside, where an empty cell does not say that the photo has none of several."""
    task = made.settings["task"]
    if not TASKS[task].dense and (isinstance(label, list) or task != "multilabel"):
        cells = zip(*(table.column(name) for name in _listed(label)), strict=True)
        if lost := sum(not all(map(str.strip, row)) for row in cells):
            made.add({"index": {"strict": False}}, f"{lost:,} rows of {table.name} have no label: they are left out")


def _reason(catalogue: Catalogue, otherwise: str) -> str:
    """Why a list of photos is missing: most likely since a table is not read or has few photos."""
    skipped = sorted(catalogue.skipped.items(), key=lambda each: each[0].endswith(".json"))
    return next((said for _, said in skipped), otherwise)


def _spec(catalogue: Catalogue, listing: Listing, goal: Target) -> Settings:
    column = listing.template.column
    said = {"label": goal.label} if goal.label else {"target": masks.files(catalogue, listing.table, column)}
    return {"path": listing.table.name, "image": listing.template.text, "id": column, **said}


def _said(train: Listing, test: Listing, found: Roles) -> str:
    said = f"{train.table.name} has {len(train.table.rows):,} rows, of which {train.template.share:.0%} have a photo"
    validation = f"; {found.validation.table.name} is a labelled table of others" if found.validation else ""
    return f"{said}{validation}; {test.table.name} lists the {len(test.table.rows):,} test photos"


def _listed(label: str | list[str]) -> list[str]:
    return [label] if isinstance(label, str) else label


def _named(catalogue: Catalogue, found: Roles) -> list[set[str]]:
    """What small tables and JSON files give names to, as to the numbers of classes."""
    small = [table for table in found.others if 2 <= len(table.header) <= MOST_COLUMNS and NAMES.search(table.name)]
    return catalogue.maps + [set(table.column(name)) for table in small for name in table.header]


def _strict(catalogue: Catalogue, made: Draft, listings: list[Listing]) -> None:
    """Rows without photos, and photos without rows in folders of photos with rows, are set aside."""
    lost = sum(each.template.share < 1 for each in listings)
    folders = {posixpath.dirname(each.template.text) for each in listings}
    exact = {folder for folder in folders if "{" not in folder and "*" not in folder}
    exact = set() if any("*" in posixpath.splitext(each.template.text)[0] for each in listings) else exact
    inside = sum(posixpath.dirname(name) in exact for name in catalogue.photos)
    rows = sum(len(set(each.table.column(each.template.column))) for each in listings)
    if lost or (exact == folders and inside > rows):
        what = "some rows have no photo" if lost else f"{inside - rows:,} photos have no row"
        made.add({"index": {"strict": False}}, f"{what}: they are left out")


def _of_paths(catalogue: Catalogue, found: Roles, made: Draft) -> Asked:
    if asked_for := pictures(catalogue, found.sample):
        made.findings += asked_for
        return Asked.of(found.sample)
    if catalogue.masks:
        raise BadInput(f"the images in '{min(catalogue.masks)}' are masks, but there is no folder of test photos")
    if found.sample and not found.test:
        first = found.asked[0]
        zeros = next((key for key in catalogue.by_name if key != first and key.lstrip("0") == first), "")
        said = f"'{zeros}' is: the table has lost the zeros" if zeros else "tasks here answer photo by photo"
        said = f"{found.sample.name}: no photo is called '{first}', but {said}"
        raise BadInput(catalogue.skipped.get(found.sample.name, said))
    try:
        named: Paths = paths(catalogue, found.sample)
    except BadInput as error:
        raise BadInput(_reason(catalogue, str(error))) from None
    asked = Asked.of(found.sample)
    made.add(named.layout, named.why)
    if "test" not in named.patterns:
        made.notes.append("no test photos: a fifth of each class is set aside as the test part")
    made.findings.append(_of_labels(made, named.labels, asked))
    return asked


def _of_labels(made: Draft, labels: list[str], asked: Asked) -> Finding:
    """The form in which labels that paths say are asked for."""
    if len(set(asked.columns) & set(labels)) > 1:
        return Finding(
            {"task": "classification", "submission": {"form": "probabilities"}}, "a column for each class (sure)"
        )
    cells = next(iter(asked.cells.values()), [])
    if len(labels) == 2 and cells and numbers(cells) and not numbers(labels):
        finding, doubts = of_two(labels, asked)
        made.doubts += doubts
        return finding
    if cells and fractions(cells):
        shown = f"{', '.join(labels[:4])}{', …' * (len(labels) > 4)}"
        raise BadInput(
            f"the sample asks for one number such as {cells[0]}, but the paths say {len(labels)} labels: {shown}"
        )
    if cells and numbers(cells) and not numbers(labels):
        made.notes.append(f"the sample holds numbers such as {cells[0]}, but labels are texts such as '{labels[0]}'")
    return Finding({"task": "classification"}, f"{len(labels)} labels, one a photo (sure)")


def _planned(catalogue: Catalogue, made: Draft, minutes: float) -> None:
    """How large photos are shown, and how often."""
    settings, inside = made.settings, dict[str, list[str]]()
    for split in SPLITS:
        said = settings.get("tables", {}).get(split, {}).get("image") or settings.get("names", {}).get(split, "")
        folder = posixpath.dirname(said.partition("{")[0])
        inside[split] = [name for name in catalogue.photos if said and posixpath.dirname(name) == folder]
    # Of photos in folders that rows or names tell apart, all count.
    train, test = (inside[split] or catalogue.photos for split in ("train", "test"))
    own = budget.fingerprint(catalogue, train, test, len(inside["validation"]))
    task = settings["task"]
    classes = len(settings.get(task, {}).get("classes", {})) or 2
    if task == "segmentation":
        side, plan = budget.of_masks(own, classes, minutes)
    else:
        side, plan = budget.of_pictures(own, minutes, grey=settings[task]["input"] == "grey")
    made.findings.append(plan._replace(settings={task: side, **plan.settings}))


def _submission(found: Roles, made: Draft, asked: Asked) -> None:
    if found.sample is None:
        files = TASKS[made.settings["task"]].files
        what = "hold a file for each test photo" if files else "have the test photos' ids and a column for the label"
        made.notes.append(f"no sample submission: it will {what}")
        return
    tests = found.test
    settings: Settings = {"sample": found.sample.name}
    listed = tests.table.column(found.test_id) if tests and found.train else found.asked
    if set(listed) != set(found.asked):
        settings["ids"] = "test"
    made.add(
        {"submission": settings},
        f"{found.sample.name} asks for {', '.join(asked.columns[:4])}{', …' * (len(asked.columns) > 4)}",
    )


def _unpack(catalogue: Catalogue, made: Draft, folders: dict[str, str]) -> None:
    """The archives inside the archive that contain what the settings name, and the `folders` that some become."""
    settings = made.settings
    texts = [text for layout in ("tables", "names") for text in _texts(settings.get(layout, {}))]
    texts.append(settings.get("submission", {}).get("sample", ""))
    wanted = [each for each in catalogue.contents.archives if any(text.startswith(f"{each}/") for text in texts)]
    wanted += [each for each in folders if each not in wanted]
    if wanted:
        unpack = {each: folders.get(each, each) for each in wanted} if folders else wanted
        made.add({"unpack": unpack}, f"photos or tables lie in {len(wanted)} archives inside the archive")


def _texts(settings: Any) -> list[str]:
    if isinstance(settings, str):
        return [settings]
    values = settings.values() if isinstance(settings, dict) else settings if isinstance(settings, list) else []
    return [text for value in values for text in _texts(value)]


def _decided(catalogue: Catalogue, made: Draft, metric: str | None) -> Draft:
    """Without the doubts that a metric which is named decides, since it fits only one of the answers."""
    for doubt in list(made.doubts):
        taken, other = (
            _fits(metric or (description.metric(catalogue.texts, each["task"]) or [""])[0], each)
            for each in (doubt.taken, doubt.other)
        )
        if other and not taken:
            made = made.answered(doubt)
        elif taken and not other:
            made.doubts.remove(doubt)
    return made


def _fits(metric: str, settings: Settings) -> bool:
    """Whether a metric is one of this task, and whether it asks for probabilities if the form does."""
    task, form = settings["task"], settings.get("submission", {}).get("form", "labels")
    known = general(metric)[0] in TASKS[task].metrics
    return (
        known
        and (form in ("labels", "top") or metric in OF_PROBABILITIES)
        and (task != "classification" or form != "labels" or metric not in OF_PROBABILITIES)
    )


def _metric(catalogue: Catalogue, made: Draft, metric: str | None) -> None:
    """The metric, and that of the other answer to each doubt."""
    own, why, named = _metric_of(catalogue, made.settings, metric)
    made.add({"metric": own}, why)
    if not named:
        made.notes.append(f"no description in the archive names the metric: check `metric: {own}`")
    for number, doubt in enumerate(made.doubts):
        other = _metric_of(catalogue, made.answered(doubt).settings, metric)[0]
        if other != own:
            taken, others = doubt.taken | {"metric": own}, doubt.other | {"metric": other}
            made.doubts[number] = doubt._replace(taken=taken, other=others)


def _metric_of(catalogue: Catalogue, settings: Settings, metric: str | None) -> tuple[str, str, bool]:
    """The metric, why it is this one, and whether anything names it."""
    task, form = settings["task"], settings.get("submission", {}).get("form", "labels")
    if metric:
        return metric, "as you say", True
    if said := description.metric(catalogue.texts, task):
        return said[0], f"{said[1]} (likely)", True
    known = ", ".join(TASKS[task].metrics).replace("#", "1")
    usual = f"map_at_{settings['submission']['top']}" if form == "top" else TASKS[task].forms[form]
    return usual, f"CHECK THIS: no description names the metric; there are: {known}", False
