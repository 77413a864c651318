"""Answers the Snakefile's questions: what to build, from which files, with which settings. No TensorFlow.

The only module that knows the config. All of it is checked when the plan is made, before any job runs.
"""

import csv
import hashlib
import re
from collections.abc import Callable
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

from podium import JUDGES
from podium.backbones import FAMILIES, WITHOUT_A_FILE, refusal
from podium.fingerprint import fingerprint
from podium.settings import ConfigError, Settings, check, check_complete, defaults, instead, merge, read

COMPETITIONS = Path("config/competitions")
LAYOUTS = ("tables", "folders", "idx", "cifar", "tfrecord")  # the files in podium/layouts/
EMBEDDED = ("head",)  # the networks that read embeddings; the others read pixels
PRETRAINED = ("head", "finetune")  # those on a backbone
LARGE = ("finetune",)  # those that keep all cores busy; fits of the others run side by side
DATA_BLOCKS = ("index", "split")
OVERRIDABLE = ("run", *DATA_BLOCKS)
HANDED_IN = ("team", "day", "attempt")  # what a zip to hand in is named by
KAGGLE = "kaggle:"
HELD_OUT = 5  # with `folds: 0`, one photo in so many is the yardstick where there is no validation table


class Plan:
    """The plan for the configured competition; raises ConfigError, in one line that names file and key."""

    def __init__(self, config: Settings, given: Settings) -> None:
        """`config` is all of it; `given` is the part that came with the command line, which nothing overrides."""
        check(config, "config", "config/config.yaml")
        check_complete(config["device"], "device", "config/config.yaml: device")
        self._config, self._given = config, given
        self._competition = config["competition"]
        facts = self._facts(self._competition)
        self.archive_file(self._competition)
        for name in set(config["ensembles"]) & set(config["experiments"]):
            raise ConfigError(f"ensembles.{name}: there is an experiment of this name")
        known = [*config["experiments"], *config["ensembles"]]
        for name in facts["run"]:
            if name not in known:
                raise ConfigError(f"run: no experiment '{name}'{instead(name, known)}")
            self._check(self._competition, name)
        results = f"results/{self._competition}"
        self.targets = [f"{results}/{name}/{self._submission(self._competition)}" for name in facts["run"]]
        self.targets.append(f"{results}/leaderboard.csv")

    def settings(self, rule: str, wildcards: Any) -> Settings:
        """The keyword arguments of a rule's function, one dict of plain types so that Snakemake tracks their names."""
        facts = self._facts(wildcards.competition)
        layout = {name: facts[name] for name in LAYOUTS if facts[name]}
        asked = {"sample": facts["submission"]["sample"], "ids": facts["submission"]["ids"]}
        by_rule: dict[str, Callable[[], Settings]] = {
            "download": lambda: self._download(facts),
            "index": lambda: {"layout": layout, **asked, **facts["index"]},
            "split": lambda: {"count": int(wildcards.folds), **facts["split"]},
            "pack": lambda: {"part": wildcards.part, "layout": layout},
            "preprocess": lambda: {"size": int(wildcards.size)},
            "embed": lambda: {
                **dict(zip(("backbone", "weights"), self._pretrained(wildcards), strict=True)),
                "views": wildcards.views.split("+"),
                "precision": self._config["device"]["precision"],
            },
            "train": lambda: self._train(wildcards),
            "predict": lambda: self._predict(wildcards),
            "blend": lambda: {"names": self._config["ensembles"][wildcards.experiment]},
            "evaluate": lambda: {"seeds": self._seeds(wildcards)},
            "ask": lambda: {
                "tables": facts["tables"],
                **asked,
                **{key: facts["submission"][key] for key in ("form", "top", "separator")},
            },
            "submit": lambda: self._submit(wildcards),
            "upload": lambda: {"competition": facts["kaggle"], "experiment": wildcards.experiment},
            "leaderboard": lambda: {
                "experiments": facts["run"],
                "teachers": self._taught(wildcards.competition, facts["run"]),
                "metric": facts["metric"],
            },
        }
        return by_rule[rule]()

    def code(self, rule: str, wildcards: Any = None) -> str:
        """What the rule's code means; of layouts, networks and backbones only what is used here."""
        also = []
        if rule in ("index", "pack"):
            facts = self._facts(wildcards.competition)
            also += [f"podium.layouts.{name}" for name in LAYOUTS if facts[name]]
        if rule in ("train", "predict"):
            experiment = self._experiment(wildcards.competition, wildcards.experiment)
            also.append(f"podium.networks.{experiment['train']['network']}")
        if rule in ("embed", "train"):
            also += [f"podium.backbones.{FAMILIES[backbone]}" for backbone in self._pretrained(wildcards)[:1]]
        return fingerprint(rule, tuple(also))

    def weights(self, wildcards: Any) -> list[str]:
        """The files of the backbone's weights, inputs of `embed` and `train`; none where they come from elsewhere."""
        _, weights = self._pretrained(wildcards) or ("", "none")
        if weights in WITHOUT_A_FILE:
            return []
        path = Path(weights)
        return [str(each) for each in (sorted(path.rglob("*")) if path.is_dir() else [path]) if each.is_file()]

    def archive_file(self, competition: str) -> list[str]:
        """The local archive as an input of `download`; a folder is tracked by `archive_state` instead."""
        archive, source = self._facts(competition)["archive"], Path(f"data/{competition}/source.zip")
        if archive is None:
            if not source.exists():
                how = f"bring it with --config competition={competition} archive=PATH_OR_URL"
                raise ConfigError(f"{COMPETITIONS / competition}.yaml: archive: {how}")
            return [f"{source}.archive"]  # not there, so that Snakemake takes source.zip as it is
        if isinstance(archive, dict) or archive.startswith(("builtin:", KAGGLE)) or "://" in archive:
            return []
        path = Path(archive).expanduser()
        if not path.exists():
            hint = f"; leave it out to go on with {source}" if source.exists() else ""
            raise ConfigError(f"archive: no file or folder at {archive}{hint}")
        return [] if path.is_dir() else [str(path)]

    def archive_state(self, competition: str) -> str:
        """A digest of the names and contents in an archive that is a folder; empty for any other."""
        archive = self._facts(competition)["archive"]
        if not isinstance(archive, str) or not (folder := Path(archive).expanduser()).is_dir():
            return ""
        digest = hashlib.sha256()
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            digest.update(f"{path.relative_to(folder)}\n{content}\n".encode(errors="surrogateescape"))
        return digest.hexdigest()

    def folds(self, wildcards: Any) -> str:
        count = self._experiment(wildcards.competition, wildcards.experiment)["folds"] or HELD_OUT
        return f"data/{wildcards.competition}/folds{count}.csv"

    def threads(self, wildcards: Any, cores: int | None) -> int:
        """The processor cores of `train` and `predict`."""
        network = self._experiment(wildcards.competition, wildcards.experiment)["train"]["network"]
        return self.cores(cores) if network in LARGE else 1

    def cores(self, cores: int | None) -> int:
        """Those that Snakemake may use, or as many of them as `device` says."""
        return min(cores or 1, self._config["device"]["threads"] or cores or 1)

    def gpus(self, wildcards: Any) -> int:
        """How many GPUs `train` and `predict` claim, so that two large networks never share one."""
        network = self._experiment(wildcards.competition, wildcards.experiment)["train"]["network"]
        return int(network in LARGE)

    @property
    def gpu_memory(self) -> int:
        """The MB that a step may take of each GPU; 0 for no limit."""
        return self._config["device"]["gpu_memory"] or 0

    @property
    def ensembles(self) -> str:
        """A pattern of the ensembles' names, to tell their rule from the experiments'."""
        return "|".join(map(re.escape, self._config["ensembles"])) or "(?!)"

    @property
    def experiments(self) -> str:
        """A pattern of everything else, so that a wrong name is answered by us."""
        return f"(?!(?:{self.ensembles})/)[^/]+"

    def members(self, wildcards: Any) -> list[str]:
        """The predictions that an ensemble blends."""
        self._check(wildcards.competition, wildcards.experiment)
        names = self._config["ensembles"][wildcards.experiment]
        return [f"results/{wildcards.competition}/{name}/predictions.csv" for name in names]

    def photos(self, rule: str, wildcards: Any) -> list[str]:
        """The pixels or embeddings that `train` or `predict` reads, in the index's order.

        The views to train on have files of their own, so that other views to predict leave them as they are. A fit
        with teachers also reads the photos that they label.
        """
        experiment = self._experiment(wildcards.competition, wildcards.experiment)
        pixels = f"data/{wildcards.competition}/{experiment['size']}px"
        files = []
        taught = self._predicted(wildcards) if experiment["train"]["teachers"] else []
        splits = ["train", *(split for split in taught if split != "train")]
        for split in splits if rule == "train" else self._predicted(wildcards):
            parts = [f"{split}-{shard}" for shard in range(self._facts(wildcards.competition)["index"]["shards"])]
            if experiment["train"]["network"] in EMBEDDED:
                views = ["+".join(each) for each in _view_groups(experiment, rule, split)]
                files += [f"{pixels}/{_folder(experiment)}/{each}/{part}.npz" for each in views for part in parts]
            else:
                files += [f"{pixels}/{part}.npy" for part in parts]
        return files

    def teachers(self, wildcards: Any) -> list[str]:
        """The predictions that a fit takes as labels: those of the teachers' fits that left the same photos out."""
        seed_and_fit = wildcards.fit.partition("-")
        return [
            f"results/{wildcards.competition}/{teacher}/seed{seed}-{seed_and_fit[2]}/predictions.csv"
            for teacher in self._experiment(wildcards.competition, wildcards.experiment)["train"]["teachers"]
            for seed in self._experiment(wildcards.competition, teacher)["train"]["seeds"]
        ]

    def fits(self, wildcards: Any) -> list[str]:
        """The predictions of each fit of an experiment, seed by seed; none for an ensemble."""
        if wildcards.experiment in self._config["ensembles"]:
            return []
        experiment = self._experiment(wildcards.competition, wildcards.experiment)
        fits = [f"fold{fold}" for fold in range(experiment["folds"])] or ["all"]
        if not experiment["folds"] and not self._has_validation(wildcards.competition):
            fits.append("fold0")
        folder = f"results/{wildcards.competition}/{wildcards.experiment}"
        return [f"{folder}/seed{seed}-{fit}/predictions.csv" for seed in experiment["train"]["seeds"] for fit in fits]

    def scores(self, wildcards: Any) -> list[str]:
        return [
            f"results/{wildcards.competition}/{name}/scores.json" for name in self._facts(wildcards.competition)["run"]
        ]

    @property
    def sent(self) -> list[str]:
        """What became of the submissions of all experiments that `run` names."""
        return [f"results/{self._competition}/{name}/sent.csv" for name in self._facts(self._competition)["run"]]

    def to_send(self, wildcards: Any) -> str:
        """The submission that goes to Kaggle."""
        competition = wildcards.competition
        if not self._facts(competition)["kaggle"]:
            raise ConfigError(f"{COMPETITIONS / competition}.yaml: archive: only to a kaggle:NAME can anything be sent")
        return f"results/{competition}/{wildcards.experiment}/{self._submission(competition)}"

    def summary(self) -> str:
        """Where the submissions are and what they are worth, for the end of a run; empty while some are missing."""
        if not all(Path(target).is_file() for target in self.targets):
            return ""
        metric = self._facts(self._competition)["metric"]
        lines = []
        with Path(self.targets[-1]).open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                path = f"results/{self._competition}/{row['experiment']}/{self._submission(self._competition)}"
                figures = [
                    _figure(row, yardstick, metric) for yardstick in (*JUDGES, "test") if row.get(f"{yardstick}_photos")
                ]
                names = row.get("teachers", "").replace(" ", " and ")
                taught = f"; also trained on photos without labels, as {names} label them" if names else ""
                lines.append(f"{path}   {metric.replace('_', ' ')} {'; '.join(figures)}{taught}")
        lines.append(f"{self.targets[-1]}   all figures, with 95 % intervals")
        quarantine = Path(f"data/{self._competition}/quarantine.csv")
        with quarantine.open(encoding="utf-8", newline="") as file:
            if lost := sum(row["split"] == "test" for row in csv.DictReader(file)):
                lines.append(f"{quarantine}   WARNING: {lost} test photos could not be read and got the training prior")
        return "\n".join(lines)

    def _train(self, wildcards: Any) -> Settings:
        experiment = self._experiment(wildcards.competition, wildcards.experiment)
        network, (seed, fold) = experiment["train"]["network"], _fit(wildcards)
        options = {**experiment["train"][network], "size": experiment["size"]}
        options["precision"] = self._config["device"]["precision"]
        if network in PRETRAINED:
            options |= {key: experiment[key] for key in ("backbone", "weights")}
        return {
            "network": network,
            "fold": fold,
            "seed": seed,
            "sharpness": experiment["train"]["sharpness"] if experiment["train"]["teachers"] else 1.0,
            "deterministic": self._config["device"]["deterministic"],
            "options": options,
        }

    def _predict(self, wildcards: Any) -> Settings:
        experiment, (_, fold) = self._experiment(wildcards.competition, wildcards.experiment), _fit(wildcards)
        splits = self._predicted(wildcards)
        return {"network": experiment["train"]["network"], "fold": fold, "splits": splits, **experiment["predict"]}

    def _predicted(self, wildcards: Any) -> list[str]:
        """The splits that hold photos which a fit has not seen and is asked for."""
        alone = not self._experiment(wildcards.competition, wildcards.experiment)["folds"]
        _, fold = _fit(wildcards)
        own = ["train"] if fold is not None else []
        judging = ["validation"] if self._has_validation(wildcards.competition) else []
        return own if alone and fold is not None else [*own, *judging, "test"]

    def _seeds(self, wildcards: Any) -> list[int]:
        if wildcards.experiment in self._config["ensembles"]:
            return []
        return self._experiment(wildcards.competition, wildcards.experiment)["train"]["seeds"]

    def _taught(self, competition: str, names: list[str]) -> dict[str, list[str]]:
        """The teachers of each experiment, or of each ensemble's members, that has any."""
        found = {}
        for name in names:
            members = self._config["ensembles"].get(name, [name])
            each = [self._experiment(competition, member)["train"]["teachers"] for member in members]
            found[name] = sorted({teacher for teachers in each for teacher in teachers})
        return {name: teachers for name, teachers in found.items() if teachers}

    def _has_validation(self, competition: str) -> bool:
        facts = self._facts(competition)
        return any("validation" in facts[name] for name in LAYOUTS if facts[name])

    def _check(self, competition: str, name: str) -> None:
        """Raises ConfigError unless this is an experiment, or an ensemble whose members one yardstick measures."""
        members = self._config["ensembles"].get(name)
        if members is None:
            self._experiment(competition, name)
            return
        where = f"ensembles.{name}"
        for member in members:
            if member not in self._config["experiments"]:
                raise ConfigError(f"{where}: no experiment '{member}'{instead(member, self._config['experiments'])}")
        folds = {member: self._experiment(competition, member)["folds"] for member in members}
        if not self._has_validation(competition) and len(set(folds.values())) > 1:
            said = ", ".join(f"{member} {count}" for member, count in folds.items())
            raise ConfigError(f"{where}: without a validation table, members need the same folds ({said})")

    def _download(self, facts: Settings) -> Settings:
        """The archive and its digest, or the files that it is put together from."""
        several = isinstance(facts["archive"], dict)
        return {
            "archive": None if several else facts["archive"],
            "sha256": facts["sha256"],
            "files": facts["archive"] if several else None,
        }

    def _submit(self, wildcards: Any) -> Settings:
        expected = self._submission(wildcards.competition)
        if wildcards.submission != expected:
            raise ConfigError(f"{wildcards.submission}: the submission of {wildcards.competition} is {expected}")
        zipped = self._zipped(wildcards.competition)
        return {"inside": zipped[1] if zipped else None}

    @cache  # noqa: B019 (the plan lives as long as its process)
    def _facts(self, competition: str) -> Settings:
        """The competition's file, checked, laid over what config.yaml says of the data."""
        path = COMPETITIONS / f"{competition}.yaml"
        if not path.is_file():
            known = [each.stem for each in COMPETITIONS.glob("*.yaml")]
            raise ConfigError(f"competition: no file {path}{instead(competition, known)}")
        check(facts := read(path), "competition", str(path))
        facts = merge({**defaults("competition"), **{key: self._config[key] for key in OVERRIDABLE}}, facts)
        facts = merge(facts, {key: self._given[key] for key in (*OVERRIDABLE, "defaults") if key in self._given})
        check_complete({block: facts[block] for block in DATA_BLOCKS}, "data", "config/config.yaml")
        archives = [facts["archive"]]
        if competition == self._competition and self._config.get("archive"):
            archives.insert(0, self._config["archive"])
            facts |= {"archive": self._config["archive"], "sha256": self._config.get("sha256")}
        if isinstance(facts["archive"], str) and "://" in facts["archive"] and not facts["sha256"]:
            raise ConfigError(f"{path}: sha256: an archive at a URL needs one")
        if isinstance(facts["archive"], dict) and facts["sha256"]:
            raise ConfigError(f"{path}: sha256: of several files each has its own")
        # An archive brought by hand may still be one of Kaggle's.
        facts["kaggle"] = next((each[len(KAGGLE) :] for each in archives if str(each).startswith(KAGGLE)), None)
        return facts

    @cache  # noqa: B019 (the plan lives as long as its process)
    def _experiment(self, competition: str, name: str) -> Settings:
        """The complete settings of one experiment."""
        if name not in self._config["experiments"]:
            known = [*self._config["experiments"], *self._config["ensembles"]]
            raise ConfigError(f"no experiment '{name}'{instead(name, known)}")
        settings, where = self._merged(competition, name), f"experiments.{name}"
        check_complete(settings, "experiment", f"{where} (over defaults)")
        if settings["backbone"] not in FAMILIES:
            raise ConfigError(
                f"{where}.backbone: no backbone '{settings['backbone']}'{instead(settings['backbone'], FAMILIES)}"
            )
        if wrong := refusal(settings["backbone"], settings["weights"]):
            raise ConfigError(f"{where}.weights: {wrong}")
        self._check_teachers(competition, name, settings)
        return settings

    def _merged(self, competition: str, name: str) -> Settings:
        """The settings of one experiment, which may not be complete."""
        below = merge(self._config["defaults"], self._facts(competition)["defaults"])
        settings = merge(below, self._config["experiments"][name])
        if "weights" in settings:
            settings["weights"] = str(Path(settings["weights"]).expanduser())
        return settings

    def _pretrained(self, wildcards: Any) -> tuple[str, ...]:
        """The backbone that a job builds and its weights; empty where it builds none."""
        if not hasattr(wildcards, "backbone"):
            experiment = self._experiment(wildcards.competition, wildcards.experiment)
            pretrained = experiment["train"]["network"] in PRETRAINED
            return (experiment["backbone"], experiment["weights"]) if pretrained else ()
        for name in self._config["experiments"]:
            # Only the one that is asked for need be right.
            settings = self._merged(wildcards.competition, name)
            if {"backbone", "weights"} <= {*settings} and _folder(settings) == wildcards.backbone:
                experiment = self._experiment(wildcards.competition, name)
                return experiment["backbone"], experiment["weights"]
        raise ConfigError(f"no experiment has embeddings in a folder '{wildcards.backbone}'")

    def _check_teachers(self, competition: str, name: str, settings: Settings) -> None:
        """Raises ConfigError unless each teacher leaves out what the pupil leaves out, and none teaches in a circle."""
        where, known = f"experiments.{name}.train.teachers", self._config["experiments"]
        if settings["train"]["teachers"] and settings["train"]["network"] in EMBEDDED:
            raise ConfigError(f"{where}: the network {settings['train']['network']} takes no teachers")
        for teacher in settings["train"]["teachers"]:
            if teacher not in known:
                raise ConfigError(f"{where}: no experiment '{teacher}'{instead(teacher, known)}")
            merged = self._merged(competition, teacher)
            if merged["train"]["teachers"]:
                raise ConfigError(f"{where}: '{teacher}' has teachers itself")
            if merged["folds"] != settings["folds"]:
                said = f"'{teacher}' has {merged['folds']}, {name} {settings['folds']}"
                raise ConfigError(f"{where}: a teacher needs the same folds ({said})")

    def _submission(self, competition: str) -> str:
        """The zip's name; or the file's, with the suffix of the sample, or of the test table where there is none."""
        if zipped := self._zipped(competition):
            return zipped[0]
        facts = self._facts(competition)
        model = facts["submission"]["sample"] or (facts["tables"] or {"test": {"path": ".csv"}})["test"]["path"]
        return "submission.tsv" if model.endswith(".tsv") else "submission.csv"

    def _zipped(self, competition: str) -> tuple[str, str] | None:
        """The names of the zip and of the file in it, where the competition wants one and the day is given."""
        wanted = self._facts(competition)["submission"]["zip"]
        said = dict(wanted or {})
        if competition == self._competition:
            said |= {key: self._config[key] for key in HANDED_IN if key in self._config}
        if "day" not in said and "attempt" not in said:
            return None
        where = f"{COMPETITIONS / competition}.yaml: submission.zip"
        if wanted is None:
            raise ConfigError(f"{where} is missing: this competition asks for no day and no attempt")
        return _zip_names(said, where)


def _view_groups(experiment: Settings, rule: str, split: str) -> list[list[str]]:
    """The views of a split that stand in one file together."""
    to_train, to_predict = experiment["train"]["head"]["views"], experiment["predict"]["views"]
    if rule == "train":
        return [to_train]
    if split != "train":
        return [to_predict]
    more = [view for view in to_predict if view not in to_train]
    return [*([to_train] if len(more) < len(to_predict) else []), *([more] if more else [])]


def _folder(experiment: Settings) -> str:
    """What the folder of a backbone's embeddings is named: other weights have another one."""
    backbone, weights = experiment["backbone"], experiment["weights"]
    if weights == "imagenet":
        return backbone
    return f"{backbone}-{weights if weights == 'none' else hashlib.sha256(weights.encode()).hexdigest()[:8]}"


def _fit(wildcards: Any) -> tuple[int, int | None]:
    """The seed of a fit and the fold that it leaves out, if any."""
    seed, _, fold = wildcards.fit.partition("-")
    return int(seed.removeprefix("seed")), None if fold == "all" else int(fold.removeprefix("fold"))


def _zip_names(said: Settings, where: str) -> tuple[str, str]:
    """The names of a zip and of the file in it."""
    for key in HANDED_IN:
        if key not in said:
            raise ConfigError(f"{key} is missing: --config team=NAME day=YYYY-MM-DD attempt=NUMBER")
    team, day, attempt = (said[key] for key in HANDED_IN)
    if attempt > said["attempts"]:
        raise ConfigError(f"attempt: {attempt} is more than the {said['attempts']} a day that {where}.attempts allows")
    try:
        day = date.fromisoformat(str(day))
    except ValueError:
        raise ConfigError(f"day: '{day}' is not a day such as 2019-03-13") from None
    try:
        return f"{team}.zip", said["file"].format(day=day, attempt=attempt)
    except (KeyError, IndexError, ValueError) as error:
        raise ConfigError(f"{where}.file: '{said['file']}' takes {{day}} and {{attempt}} only ({error})") from None


def _figure(row: dict[str, str], yardstick: str, metric: str) -> str:
    value, low, high = (float(row[f"{yardstick}_{metric}{end}"]) for end in ("", "_low", "_high"))
    where = {
        "out_of_fold": "out of fold",
        "held_out": "on a held-out fold",
        "validation": "on the validation photos",
        "test": "on the test photos",
    }[yardstick]
    return f"{value:.3f} ({low:.3f} to {high:.3f}) {where}"
