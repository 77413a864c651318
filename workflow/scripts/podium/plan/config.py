"""The checked config: the facts of each competition and the complete settings of each experiment. No TensorFlow."""

import re
from collections.abc import Callable, Iterable
from datetime import date
from functools import cache, cached_property, partial, reduce
from pathlib import Path

import yaml

from podium import SPLITS, machine, tasks
from podium.archives.layouts import LAYOUTS
from podium.backbones import refusal
from podium.backbones.families import BACKBONES
from podium.networks import NETWORKS
from podium.plan.contents import content
from podium.plan.settings import (
    COMMAND_LINE,
    ConfigError,
    Settings,
    check,
    check_complete,
    defaults,
    holds,
    in_order,
    instead,
    leaves,
    merge,
    read,
    typed,
)
from podium.tasks import OWN, TASKS

CONFIG = "config/config.yaml"
COMPETITIONS = Path("config/competitions")
DATA_BLOCKS = ("index", "split", "preprocess")
OVERRIDABLE = ("run", *DATA_BLOCKS)
HANDED_IN = ("team", "day", "attempt")  # what the name of a submission's zip consists of
KAGGLE = "kaggle:"


MULTIPLE = 32  # of which sides are where a network has skip connections
WHOLE = ("plain", "flip")  # the views that show a whole photo
OF_PHOTOS, OF_PIXELS = ("crop", "pad", "squash"), ("squash", "keep")  # how photos become squares; the latter show all


class Config:
    """config.yaml with the competitions' files; raises ConfigError, whose message names file and key in one line."""

    def __init__(self, config: Settings, said: Settings, files: Iterable[Path] = ()) -> None:
        """`config` is Snakemake's whole config. Settings from the command line override all others: `files`, of which
        later ones override earlier ones, and over these `said`, the settings given with `--config`."""
        said = {key: typed(value) if isinstance(value, dict | list) else value for key, value in said.items()}
        self._layers = {**{_short(path): read(path) for path in files}, COMMAND_LINE: said}
        config = merge(config, said)
        check(config, "config", self._place)
        config = in_order(config)
        check_complete(config["device"], "device", f"{CONFIG}: device")
        for name in set(config["ensembles"]) & set(config["experiments"]):
            raise ConfigError(f"{self._at('ensembles', name)}: there is an experiment of this name; rename one of them")
        if config.get("sha256") and not config.get("archive"):
            raise ConfigError(f"{self._at('sha256')}: it is the digest of `archive`, which is missing")
        self._config = config
        self._given: Settings = reduce(merge, self._layers.values(), {})
        self.competition: str = config["competition"]
        self.device: Settings = config["device"]
        self.ensembles: dict[str, list[str]] = config["ensembles"]
        self.experiments: Settings = config["experiments"]

    @property
    def names(self) -> list[str]:
        """Those of all experiments and ensembles."""
        return [*self.experiments, *self.ensembles]

    @cached_property
    def precision(self) -> str:
        """What networks compute in. Steps are told it in so many words, so that results of two kinds never mix."""
        named: str = self.device["precision"]
        return machine.fastest() if named == "auto" else named

    def _place(self, *keys: str, below: str = CONFIG) -> str:
        """The file that a setting comes from, or the command line; `below` if neither sets it."""
        return next((place for place, each in reversed(self._layers.items()) if keys and holds(each, *keys)), below)

    def _at(self, *keys: str) -> str:
        return f"{self._place(*keys)}: {'.'.join(keys)}"

    def fact_at(self, competition: str, *keys: str) -> str:
        """The source and the dotted name of one of a competition's facts."""
        path = COMPETITIONS / f"{competition}.yaml"
        own = str(path) if holds(read(path), *keys) else CONFIG
        return f"{self._place(*keys, below=own)}: {'.'.join(keys)}"

    def setting_at(self, competition: str, name: str, *keys: str) -> str:
        """The source and the dotted name of one of an experiment's settings."""
        below = self.fact_at(competition, "defaults", *keys).partition(": ")[0]
        if holds(self._config["experiments"][name], *keys):
            below = CONFIG
        return f"{self._place('experiments', name, *keys, below=below)}: experiments.{name}.{'.'.join(keys)}"

    @cache  # noqa: B019 (the plan lives as long as its process)
    def content(self, path: Path) -> str:
        """A digest of what a user's file or folder contains."""
        return content(path)

    @cache  # noqa: B019 (the plan lives as long as its process)
    def facts(self, competition: str) -> Settings:
        """The competition's file, checked and merged over the data settings of config.yaml."""
        path = COMPETITIONS / f"{competition}.yaml"
        if not path.is_file():
            known = [each.stem for each in COMPETITIONS.glob("*.yaml")]
            raise ConfigError(f"{self._at('competition')}: no file {path}{instead(competition, known)}")
        check(facts := in_order(read(path)), "competition", str(path))
        task = facts.get("task", defaults("competition")["task"])
        _check_submission(f"{path}: submission", facts.get("submission", {}), task)
        for key, form in TASKS[task].idle:
            if facts.get(task, {}).get(key) and _form(facts) == form:
                raise ConfigError(f"{path}: {task}.{key}: has no effect in `form: {form}`")
        for name in TASKS.keys() & facts.keys() - {task}:
            raise ConfigError(f"{path}: {name}: has no effect without `task: {name}`")
        _check_tables(f"{path}: tables", facts.get("tables", {}))
        _check_labels(str(path), facts, task)
        facts = merge({**defaults("competition"), **{key: self._config[key] for key in OVERRIDABLE}}, facts)
        facts = merge(facts, {key: self._given[key] for key in (*OVERRIDABLE, "defaults") if key in self._given})
        check_complete({block: facts[block] for block in DATA_BLOCKS}, "data", "config/config.yaml")
        facts["metric"] = _metric(facts, str(path))
        fits = OF_PIXELS if TASKS[task].dense else OF_PHOTOS
        if (fit := facts["preprocess"]["fit"]) not in fits:
            raise ConfigError(f"{path}: preprocess.fit: the task {task} takes {' or '.join(fits)}, not {fit}")
        _check_range(facts["index"], str(path))
        archives = [facts["archive"]]
        if competition == self.competition and self._config.get("archive"):
            archives.insert(0, self._config["archive"])
            # A digest without an archive is that of the archive which each user brings.
            own = None if facts["archive"] else facts["sha256"]
            facts |= {"archive": self._config["archive"], "sha256": self._config.get("sha256") or own}
        if isinstance(facts["archive"], str) and "://" in facts["archive"] and not facts["sha256"]:
            raise ConfigError(f"{self._place('archive', below=str(path))}: sha256: an archive at a URL needs one")
        if isinstance(facts["archive"], dict) and facts["sha256"]:
            raise ConfigError(f"{path}: sha256: leave it out; each of several files has its own")
        if facts["sha256"] and _has_no_digest(facts["archive"]):
            raise ConfigError(f"{path}: sha256: {facts['archive']} is not a file and has none; leave it out")
        # An archive that the user brings may still be that of a Kaggle competition.
        facts["kaggle"] = next((each[len(KAGGLE) :] for each in archives if str(each).startswith(KAGGLE)), None)
        return facts

    def task(self, competition: str) -> Settings:
        """The competition's task by its name, with its settings."""
        facts = self.facts(competition)
        settings = dict(facts[facts["task"]])
        if TASKS[facts["task"]].named_by_columns:
            settings["columns"] = self._label_columns(competition)
        if TASKS[facts["task"]].dense:
            settings |= {"folder": f"data/{competition}/targets", "fit": facts["preprocess"]["fit"]}
        return {facts["task"]: settings}

    def grey(self, competition: str) -> bool:
        """Whether photos are shown in grey."""
        facts = self.facts(competition)
        return (said := TASKS[facts["task"]].grey) is not None and facts[facts["task"]][said[0]] == said[1]

    def judged_task(self, competition: str) -> Settings:
        """The same with the competition's metric, for all that the metric decides in."""
        ((name, settings),) = self.task(competition).items()
        return {name: settings | {"metric": self.facts(competition)["metric"]}}

    def _label_columns(self, competition: str) -> list[str]:
        """The names of the columns of labels in the tables; `label` in other layouts."""
        said = next(iter(self.layout(competition).values())).get("train", {})
        column = said.get("label", "label") if isinstance(said, dict) else "label"
        return [column] if isinstance(column, str) else column

    def features(self, competition: str) -> list[str]:
        """The columns of numbers that are used beside the photos."""
        return (self.facts(competition)["tables"] or {}).get("features", [])

    def has_validation(self, competition: str) -> bool:
        """Whether there are labelled validation photos."""
        return any("validation" in spec for spec in self.layout(competition).values())

    def layout(self, competition: str) -> Settings:
        """How the archive is laid out: the name of the layout and its settings."""
        facts = self.facts(competition)
        return {name: facts[name] for name in LAYOUTS if facts[name]}

    def judging_split(self, competition: str, settings: Settings) -> str:
        """The split whose photos judge an experiment with these settings; `test` if there are no others."""
        if self.has_validation(competition):
            return "validation"
        return "train" if settings["folds"] or settings["held_out"] else "test"

    def check_defaults(self, competition: str, run: list[str]) -> None:
        """Raises ConfigError for a default of `--config` without effect, since all experiments of `run` override it."""
        names = [member for name in run for member in self.ensembles.get(name, [name])]
        for keys, value in leaves(self._layers[COMMAND_LINE].get("defaults", {})):
            merged = {name: dict(leaves(self.merged(competition, name))).get(keys) for name in names}
            if value not in merged.values() and all(holds(self.experiments[name], *keys) for name in names):
                name = names[0]
                own = reduce(lambda below, key: {key: below}, reversed((name, *keys)), value)
                write = yaml.safe_dump(own, default_flow_style=True, width=1000).strip()
                raise ConfigError(
                    f"{COMMAND_LINE}: defaults.{'.'.join(keys)}: no effect, since '{name}' sets {merged[name]} itself: "
                    f"write --config 'experiments={write}'"
                )

    def check_experiment(self, competition: str, name: str) -> None:
        """Raises ConfigError unless this is an experiment, or an ensemble whose members have the same yardstick."""
        members = self.ensembles.get(name)
        if members is None:
            self.experiment(competition, name)
            return
        where = self._at("ensembles", name)
        for member in members:
            if member not in self.experiments:
                raise ConfigError(f"{where}: no experiment '{member}'{instead(member, self.experiments)}")
        folds = {member: self._folds(competition, self.experiment(competition, member)) for member in members}
        if not self.has_validation(competition) and len(set(folds.values())) > 1:
            said = ", ".join(f"{member} {count}" for member, count in folds.items())
            raise ConfigError(f"{where}: without a validation table, members must have the same folds ({said})")

    @cache  # noqa: B019 (the plan lives as long as its process)
    def experiment(self, competition: str, name: str) -> Settings:
        """The complete settings of one experiment."""
        if name not in self.experiments:
            raise ConfigError(f"no experiment '{name}'{instead(name, self.names)}")
        settings, at = self.merged(competition, name), partial(self.setting_at, competition, name)
        check_complete(settings, "experiment", f"{CONFIG}: experiments.{name} (over defaults)")
        if (backbone := settings["backbone"]) not in BACKBONES:
            raise ConfigError(f"{at('backbone')}: no backbone '{backbone}'{instead(backbone, BACKBONES)}")
        if wrong := refusal(backbone, settings["weights"]):
            raise ConfigError(f"{at('weights')}: {wrong}")
        if self.judging_split(competition, settings) == "test" and not self._may_have_test_labels(competition):
            raise ConfigError(f"{at('held_out')}: false leaves no photos to judge by, since no test photo has a label")
        self._check_task(competition, settings, at)
        for network, own in settings["train"].items():
            if isinstance(own, dict) and "augment" in own and own["augment"]["area"][0] > own["augment"]["area"][1]:
                raise ConfigError(f"{at('train', network, 'augment', 'area')}: the least comes first, then the most")
        self._check_teachers(competition, name, settings)
        return settings

    def _check_task(self, competition: str, settings: Settings, at: Callable[..., str]) -> None:
        """Raises ConfigError for a network of other answers, and for a view that does not show each pixel answered."""
        network, task = settings["train"]["network"], self.facts(competition)["task"]
        if NETWORKS[network].dense != (dense := TASKS[task].dense):
            others = [each for each, known in NETWORKS.items() if known.dense == dense]
            said = f"{network} is no network for the task {task}{instead(network, others)}"
            raise ConfigError(f"{at('train', 'network')}: {said}")
        if settings["train"]["colours"] != "continuous" and not self.grey(competition):
            raise ConfigError(f"{at('train', 'colours')}: has no effect but on photos that are shown in grey")
        if not dense:
            return
        size, own, facts = settings["size"], settings["train"][network], self.facts(competition)
        if odd := [side for side in [size, *own["sizes"]] if side * own.get("enlarge", 1) % MULTIPLE]:
            raise ConfigError(f"{at('size')}: {network} takes sides that are multiples of {MULTIPLE}, not {odd[0]}")
        if facts["preprocess"]["fit"] == "keep" and (side := facts[task]["side"]) != size:
            raise ConfigError(f"{at('size')}: must be {task}.side, {side}, with `preprocess.fit: keep`, not {size}")
        for name in (each for each in TASKS[task].unvaried if own.get("augment", {}).get(each)):
            said = f"{task} takes 0, since photo and target go through the same transform"
            raise ConfigError(f"{at('train', network, 'augment', name)}: {said}")
        if cut := [view for view in settings["predict"]["views"] if view not in WHOLE]:
            raise ConfigError(
                f"{at('predict', 'views')}: '{cut[0]}' does not show each pixel, as {' and '.join(WHOLE)} do"
            )

    def merged(self, competition: str, name: str) -> Settings:
        """The settings of one experiment, which may be incomplete."""
        below = merge(self._config["defaults"], self.facts(competition)["defaults"])
        settings = merge(below, self.experiments[name])
        if "weights" in settings:
            settings["weights"] = str(Path(settings["weights"]).expanduser())
        return settings

    def _check_teachers(self, competition: str, name: str, settings: Settings) -> None:
        """Raises ConfigError unless each teacher leaves out the same photos as the pupil and has no teachers itself."""
        where, known = self.setting_at(competition, name, "train", "teachers"), self.experiments
        network = settings["train"]["network"]
        if settings["train"]["teachers"] and NETWORKS[network].reads == "embeddings":
            raise ConfigError(f"{where}: the network {network} cannot have teachers")
        for teacher in settings["train"]["teachers"]:
            if teacher not in known:
                raise ConfigError(f"{where}: no experiment '{teacher}'{instead(teacher, known)}")
            merged = self.merged(competition, teacher)
            if merged["train"]["teachers"]:
                raise ConfigError(f"{where}: '{teacher}' has teachers itself")
            theirs, own = (self._folds(competition, each) for each in (self.experiment(competition, teacher), settings))
            if theirs != own:
                raise ConfigError(f"{where}: a teacher must have the same folds ('{teacher}' {theirs}, {name} {own})")

    def _folds(self, competition: str, settings: Settings) -> str:
        """Which photos the fits of an experiment leave out, in words."""
        without = " without held_out" if self.judging_split(competition, settings) == "test" else ""
        return f"{settings['folds']}{without}"

    def _may_have_test_labels(self, competition: str) -> bool:
        """Whether the competition's file allows test labels; whether TFRecord files have them is known on reading."""
        return all(LAYOUTS[name].may_label_test(spec) for name, spec in self.layout(competition).items())

    def teachers(self, competition: str, names: list[str]) -> dict[str, list[str]]:
        """The teachers of each experiment, or of each ensemble's members, if there are any."""
        found = {}
        for name in names:
            members = self.ensembles.get(name, [name])
            each = [self.experiment(competition, member)["train"]["teachers"] for member in members]
            found[name] = sorted({teacher for teachers in each for teacher in teachers})
        return {name: teachers for name, teachers in found.items() if teachers}

    def submission(self, competition: str) -> str:
        """The zip's name, else the file's, with the suffix of the sample, or of the test table without a sample."""
        if zipped := self.zipped(competition):
            return zipped[0]
        facts = self.facts(competition)
        if facts["submission"]["form"] in TASKS[facts["task"]].files:
            return "submission.zip"
        model = facts["submission"]["sample"] or (facts["tables"] or {"test": {"path": ".csv"}})["test"]["path"]
        return "submission.tsv" if model.endswith(".tsv") else "submission.csv"

    def zipped(self, competition: str) -> tuple[str, str] | None:
        """The names of the zip and of the file in it; None unless the day or the attempt is given. Raises ConfigError
        if the competition has no `submission.zip` although a part of its name is given."""
        wanted = self.facts(competition)["submission"]["zip"]
        said = dict(wanted or {})
        if competition == self.competition:
            said |= {key: self._config[key] for key in HANDED_IN if key in self._config}
        where = f"{COMPETITIONS / competition}.yaml: submission.zip"
        if said and wanted is None:
            raise ConfigError(f"{where} is missing: this competition does not use {next(iter(said))}")
        if "day" not in said and "attempt" not in said:
            return None
        return _zip_names(
            said, where, {key: self._place(key, below=CONFIG if key in self._config else where) for key in said}
        )


def _short(path: Path) -> str:
    """Relative to the working directory if it is below it."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def _check_submission(where: str, said: Settings, task: str) -> None:
    """Raises ConfigError for a form that the task does not have, and for a key that has no effect without another."""
    facts, form = TASKS[task], _form({"submission": said})
    if form not in facts.forms:
        raise ConfigError(f"{where}.form: the task {task} has no '{form}'{instead(form, facts.forms)}")
    needs = {"ids": ("sample", "sample" in said), "top": ("form: top", form == "top")}
    needs["pixel"] = ("form: pixels", form == "pixels")
    needs["separator"] = (f"form: {' or '.join(facts.lists)}", form in facts.lists)
    needs["decimals"] = (f"form: {' or '.join(facts.decimals)}", form in facts.decimals)
    for key, (wanted, there) in needs.items():
        if key in said and not there:
            raise ConfigError(f"{where}.{key}: has no effect" + (f" without `{wanted}`" if wanted != "form: " else ""))


def _form(facts: Settings) -> str:
    return facts.get("submission", {}).get("form", "labels")


def _metric(facts: Settings, where: str) -> str:
    """The competition's metric, by default that of the submission's form; raises ConfigError for one that the task does
    not have, and for a file of one's own that is not there."""
    task, metric = facts["task"], facts["metric"]
    known = TASKS[task].metrics
    if metric and metric.endswith(OWN) and TASKS[task].dense:
        raise ConfigError(
            f"{where}: metric: the task {task} is judged by {', '.join(known)}, not by a file of one's own"
        )
    if metric and metric.endswith(OWN):
        if not (path := COMPETITIONS / metric).is_file():
            raise ConfigError(f"{where}: metric: no file {path}")
        if tasks.general(tasks.title(metric))[0] in known:
            raise ConfigError(f"{where}: metric: rename {path}, since there is a metric '{tasks.title(metric)}'")
        return str(path)
    if metric and (tasks.general(metric)[0] not in known or "#" in metric):
        there = [name.replace("#", "1") for name in known]
        raise ConfigError(f"{where}: metric: the task {task} has no '{metric}'{instead(metric, there)}")
    usual = TASKS[task].forms[form := _form(facts)]
    return metric or (f"map_at_{facts['submission']['top']}" if form == "top" else usual)


def _check_tables(where: str, tables: Settings) -> None:
    """Raises ConfigError for a template of image files that is the same for all rows, and for groups given twice."""
    for split in (each for each in SPLITS if each in tables):
        table = tables[split]
        if "groups" in tables and "group" in table:
            raise ConfigError(f"{where}.{split}.group: leave it out; the table `groups` says it")
        if not re.search("{.+?}", table["image"]):
            wanted = f'a column in braces, such as "{{{table["id"]}}}"'
            raise ConfigError(f"{where}.{split}.image: '{table['image']}' is one file for all rows; name {wanted}")


def _check_labels(where: str, facts: Settings, task: str) -> None:
    """Raises ConfigError unless the layout says where the labels are, once: in columns, in paths or in files."""
    grey = TASKS[task].grey
    itself = grey and facts.get(task, {}).get(grey[0]) == grey[1] and f"`{grey[0]}: {grey[1]}`"
    for layout in ("tables", "names"):
        for split in (each for each in SPLITS[:-1] if each in facts.get(layout, {})):
            said, at = _labels_said(facts[layout], split), f"{where}: {layout}.{split}"
            if "target" in said and not TASKS[task].dense:
                raise ConfigError(f"{at}: a `target` is a file for each photo, which the task {task} does not have")
            if said and itself:
                raise ConfigError(f"{at}: leave `{said[0]}` out: with {itself} each photo is its own target")
            if not said and not itself:
                wanted = "`target` or `label`" if TASKS[task].dense else "`label`"
                raise ConfigError(f"{at}: {wanted} is missing")


def _labels_said(layout: Settings, split: str) -> list[str]:
    """The keys by which a layout says the labels of a split."""
    spec = layout[split]
    if isinstance(spec, dict):
        return [key for key in ("label", "target") if key in spec]
    return ["label"] * ("{label}" in spec) + ["target"] * ("target" in layout)


def _has_no_digest(archive: str | None) -> bool:
    """Whether the archive is a folder, or made by Podium itself."""
    return archive is not None and (archive.startswith("builtin:") or Path(archive).expanduser().is_dir())


def _check_range(index: Settings, where: str) -> None:
    """Raises ConfigError unless the range of values is ascending and given by at most one key."""
    if index["range"] and index["percentile"]:
        raise ConfigError(f"{where}: index.range and index.percentile: give one of them, and null for the other")
    if index["range"] and index["range"][0] >= index["range"][1]:
        raise ConfigError(f"{where}: index.range: the least comes first, then the most")


def _zip_names(said: Settings, where: str, places: dict[str, str]) -> tuple[str, str]:
    """The names of a zip and of the file in it; raises ConfigError if a part is missing or wrong."""
    for key in HANDED_IN:
        if key not in said:
            raise ConfigError(f"{key} is missing: add --config team=NAME day=YYYY-MM-DD attempt=NUMBER")
    team, day, attempt = (said[key] for key in HANDED_IN)
    if attempt > said["attempts"]:
        most = f"the {said['attempts']} a day that {where}.attempts allows"
        raise ConfigError(f"{places['attempt']}: attempt: {attempt} is more than {most}")
    try:
        day = date.fromisoformat(str(day))
    except ValueError:
        raise ConfigError(f"{places['day']}: day: '{day}' is not a day such as 2019-03-13") from None
    try:
        return f"{team}.zip", said["file"].format(day=day, attempt=attempt)
    except (KeyError, IndexError, ValueError) as error:
        raise ConfigError(f"{where}.file: '{said['file']}' must use only {{day}} and {{attempt}} ({error})") from None
