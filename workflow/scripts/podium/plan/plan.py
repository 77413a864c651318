"""Answers the Snakefile's questions: what to build, from which files, with which settings. No TensorFlow.

All of the config is checked when the plan is made, before any job runs.
"""

import hashlib
import re
from collections.abc import Callable, Iterable
from functools import cached_property
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from podium import machine
from podium.backbones import FAMILIES, WITHOUT_A_FILE
from podium.plan.config import COMPETITIONS, DATA_BLOCKS, EMBEDDED, KAGGLE, LAYOUTS, Config
from podium.plan.fingerprint import fingerprint
from podium.plan.settings import ConfigError, Settings, instead, leaves
from podium.predictions.history import Scored, plain, read

PRETRAINED = ("head", "finetune")  # the networks on a backbone
LARGE = ("finetune",)  # those that keep all cores busy; fits of the others run side by side, and share them
IN_THE_INDEX = ("strict", "shards")  # what comes to figures only by which photos the index lists
HELD_OUT = 5  # with `folds: 0`, one photo in so many is the yardstick of a fit beside


class Plan:
    """The plan for the configured competition; raises ConfigError, in one line that names file and key."""

    def __init__(self, config: Settings, said: Settings, files: Iterable[Path] = (), gpus: int | None = None) -> None:
        """`config` is all of it; in it what the command line gave, in one's own files and over them with `--config`.

        `gpus` is how many GPUs all jobs together may claim at a time, None for any number.
        """
        self._config, self._gpus = Config(config, said, files), gpus
        self._check_gpus()
        self._competition = self._config.competition
        facts = self._config.facts(self._competition)
        self.archive_file(self._competition)
        known = [*self._config.experiments, *self._config.ensembles]
        for name in facts["run"]:
            if name not in known:
                raise ConfigError(
                    f"{self._config.fact_at(self._competition, 'run')}: no experiment '{name}'{instead(name, known)}"
                )
            self._config.check_experiment(self._competition, name)
        self._config.check_defaults(self._competition, facts["run"])
        results, submission = f"results/{self._competition}", self._config.submission(self._competition)
        self.targets = [f"{results}/{name}/{submission}" for name in facts["run"]]
        fitted = [name for name in facts["run"] if name not in self._config.ensembles]
        self.targets += [f"{results}/{name}/curves.png" for name in fitted]
        self.targets += self._models(facts["run"])
        self.targets.append(f"{results}/leaderboard.csv")

    def settings(self, rule: str, wildcards: Any) -> Settings:
        """The keyword arguments of a rule's function, one dict of plain types so that Snakemake tracks their names."""
        facts = self._config.facts(wildcards.competition)
        layout = {name: facts[name] for name in LAYOUTS if facts[name]}
        by_rule: dict[str, Callable[[], Settings]] = {
            "download": lambda: self._download(facts),
            "index": lambda: {"layout": layout, **facts["index"]},
            "split": lambda: {"count": int(wildcards.folds), **facts["split"]},
            "pack": lambda: {"part": wildcards.part, "layout": layout},
            "preprocess": lambda: {"size": int(wildcards.size), **facts["preprocess"]},
            "embed": lambda: {
                "part": wildcards.part,
                **dict(zip(("backbone", "weights"), self._pretrained(wildcards), strict=True)),
                "views": wildcards.views.split("+"),
                "precision": self._precision,
            },
            "train": lambda: self._train(wildcards),
            "predict": lambda: self._predict(wildcards),
            "calibrate": lambda: {"seeds": self._seeds(wildcards), "views": self._views(wildcards)},
            "blend": lambda: {"names": self._config.ensembles[wildcards.experiment]},
            "evaluate": lambda: {
                "seeds": self._seeds(wildcards),
                "settings": self.behind(wildcards.competition, wildcards.experiment),
            },
            "curves": lambda: {
                "names": [Path(history).parent.name for history in self.histories(wildcards)],
                "title": f"{wildcards.experiment} on {wildcards.competition}",
            },
            "export": lambda: {"saved_model": self._saved_model(wildcards)},
            "robustness": lambda: self._robustness(wildcards),
            "ask": lambda: {
                "tables": facts["tables"],
                **{key: facts["submission"][key] for key in ("sample", "ids", "form", "top", "separator")},
            },
            "submit": lambda: self._submit(wildcards),
            "upload": lambda: {"competition": facts["kaggle"], "experiment": wildcards.experiment},
            "leaderboard": lambda: self._leaderboard(wildcards.competition),
        }
        return by_rule[rule]()

    def code(self, rule: str, wildcards: Any = None) -> str:
        """What the rule's code means; of layouts, networks and backbones only what is used here."""
        also = []
        if rule in ("index", "pack"):
            facts = self._config.facts(wildcards.competition)
            also += [f"podium.archives.layouts.{name}" for name in LAYOUTS if facts[name]]
        if rule in ("train", "predict"):
            experiment = self._config.experiment(wildcards.competition, wildcards.experiment)
            also.append(f"podium.networks.{experiment['train']['network']}")
        if rule in ("embed", "train"):
            also += [f"podium.backbones.{FAMILIES[backbone]}" for backbone in self._pretrained(wildcards)[:1]]
        if rule in ("predict", "robustness", "export") and self._saved_model(wildcards):
            also.append("podium.backbones.saved_model")
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
        archive, source = self._config.facts(competition)["archive"], Path(f"data/{competition}/source.zip")
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
            at = self._config.fact_at(competition, "archive")
            raise ConfigError(f"{at}: no file or folder at {archive}{hint}")
        return [] if path.is_dir() else [str(path)]

    def archive_state(self, competition: str) -> str:
        """A digest of the names and contents in an archive that is a folder; empty for any other."""
        archive = self._config.facts(competition)["archive"]
        if not isinstance(archive, str) or not (folder := Path(archive).expanduser()).is_dir():
            return ""
        digest = hashlib.sha256()
        for path in sorted(path for path in folder.rglob("*") if path.is_file()):
            with path.open("rb") as file:
                content = hashlib.file_digest(file, "sha256").hexdigest()
            digest.update(f"{path.relative_to(folder)}\n{content}\n".encode(errors="surrogateescape"))
        return digest.hexdigest()

    def folds(self, wildcards: Any) -> str:
        count = self._config.experiment(wildcards.competition, wildcards.experiment)["folds"] or HELD_OUT
        return f"data/{wildcards.competition}/folds{count}.csv"

    def threads(self, wildcards: Any, cores: int | None) -> int:
        """The processor cores of `train` and `predict`: all of them, or a share where fits run side by side."""
        trained = self._config.experiment(wildcards.competition, wildcards.experiment)["train"]
        beside = len(self.fits(wildcards)) // len(trained["seeds"])  # so that another seed leaves them as they are
        if trained["network"] not in EMBEDDED and (on_gpus := self._beside_on_gpus()):
            beside = min(len(self.fits(wildcards)), on_gpus)
        elif trained["network"] in LARGE:
            beside = 1
        return self.cores(max(1, (cores or 1) // beside))

    def cores(self, cores: int | None) -> int:
        """Those that Snakemake may use, or as many of them as `device` says."""
        return min(cores or 1, self._config.device["threads"] or cores or 1)

    def gpu_cores(self, cores: int | None) -> int:
        """The processor cores of `embed` and `robustness`: a share where such steps run side by side on GPUs."""
        return self.cores(max(1, (cores or 1) // (self._beside_on_gpus() or 1)))

    def gpus(self, rule: str, wildcards: Any) -> int:
        """How many GPUs `train` or `predict` claims, so that no two networks share one.

        A small network claims none on a machine without any: there its fits run side by side on the cores.
        """
        network = self._config.experiment(wildcards.competition, wildcards.experiment)["train"]["network"]
        if network in EMBEDDED or (network not in LARGE and not machine.cards()):
            return 0
        return self._config.device["gpus"] if rule == "train" else 1

    @property
    def config(self) -> Config:
        return self._config

    @property
    def gpu_memory(self) -> int:
        """The MB that a step may take of each GPU; 0 for no limit."""
        return self._config.device["gpu_memory"] or 0

    @cached_property
    def _precision(self) -> str:
        """What networks compute in. Steps are told it in so many words, so that results of two kinds never mix."""
        named: str = self._config.device["precision"]
        return machine.fastest() if named == "auto" else named

    @property
    def ensembles(self) -> str:
        """A pattern of the ensembles' names, to tell their rule from the experiments'."""
        return "|".join(map(re.escape, self._config.ensembles)) or "(?!)"

    @property
    def experiments(self) -> str:
        """A pattern of everything else, so that a wrong name is answered by us."""
        return f"(?!(?:{self.ensembles})/)[^/]+"

    def members(self, wildcards: Any) -> list[str]:
        """The predictions that an ensemble blends."""
        self._config.check_experiment(wildcards.competition, wildcards.experiment)
        names = self._config.ensembles[wildcards.experiment]
        return [f"results/{wildcards.competition}/{name}/predictions.csv" for name in names]

    def photos(self, rule: str, wildcards: Any) -> list[str]:
        """The pixels or embeddings that `train` or `predict` reads, in the index's order.

        The views to train on have files of their own, so that other views to predict leave them as they are. A fit
        with teachers also reads the photos that they label, and one that measures validation photos reads these.
        """
        experiment = self._config.experiment(wildcards.competition, wildcards.experiment)
        pixels = f"data/{wildcards.competition}/{experiment['size']}px"
        files, shards = list[str](), self._config.facts(wildcards.competition)["index"]["shards"]
        more = self._predicted(wildcards) if experiment["train"]["teachers"] else self._measured(wildcards)
        splits = ["train", *(split for split in more if split != "train")]
        for split in splits if rule == "train" else self._predicted(wildcards):
            parts = [f"{split}-{shard}" for shard in range(shards)]
            if experiment["train"]["network"] in EMBEDDED:
                views = ["+".join(each) for each in _view_groups(experiment, rule, split)]
                files += [f"{pixels}/{_folder(experiment)}/{each}/{part}.npy" for each in views for part in parts]
            else:
                files += [f"{pixels}/{part}.npy" for part in parts]
        return files

    def teachers(self, wildcards: Any) -> list[str]:
        """The predictions that a fit takes as labels: those of the teachers' fits that left the same photos out."""
        fit = wildcards.fit.partition("-")[2]
        return [
            f"results/{wildcards.competition}/{teacher}/seed{seed}-{fit}/predictions.csv"
            for teacher in self._config.experiment(wildcards.competition, wildcards.experiment)["train"]["teachers"]
            for seed in self._config.experiment(wildcards.competition, teacher)["train"]["seeds"]
        ]

    def fits(self, wildcards: Any) -> list[str]:
        """The predictions of each fit of an experiment, seed by seed; none for an ensemble."""
        if wildcards.experiment in self._config.ensembles:
            return []
        experiment = self._config.experiment(wildcards.competition, wildcards.experiment)
        fits = [f"fold{fold}" for fold in range(experiment["folds"])] or ["all"]
        if not experiment["folds"] and self._judging_split(wildcards) == "train":
            fits.append("fold0")
        folder = f"results/{wildcards.competition}/{wildcards.experiment}"
        return [f"{folder}/seed{seed}-{fit}/predictions.csv" for seed in experiment["train"]["seeds"] for fit in fits]

    def one_view(self, wildcards: Any) -> list[str]:
        """What each fit predicts of photos that may judge from one view alone; none for an ensemble."""
        return [str(Path(path).with_name("one_view.csv")) for path in self.fits(wildcards)]

    def models(self, wildcards: Any) -> list[str]:
        """The models, as they were fitted, of the fits that the yardstick judges."""
        if wildcards.experiment in self._config.ensembles:
            raise ConfigError(f"{wildcards.experiment}: an ensemble has no model; ask for one of its members")
        folders = [str(Path(path).parent) for path in self.fits(wildcards)]
        left_out = self._judging_split(wildcards) == "train"
        return [f"{folder}/fitted.keras" for folder in folders if not (left_out and folder.endswith("-all"))]

    def histories(self, wildcards: Any) -> list[str]:
        """How each fit of an experiment went."""
        if wildcards.experiment in self._config.ensembles:
            raise ConfigError(f"{wildcards.experiment}: an ensemble has no learning curves; ask for one of its members")
        return [str(Path(path).with_name("history.csv")) for path in self.fits(wildcards)]

    def judging(self, wildcards: Any) -> list[str]:
        """The pixels of the photos that judge."""
        size = self._config.experiment(wildcards.competition, wildcards.experiment)["size"]
        shards = self._config.facts(wildcards.competition)["index"]["shards"]
        split = self._judging_split(wildcards)
        return [f"data/{wildcards.competition}/{size}px/{split}-{shard}.npy" for shard in range(shards)]

    def scored(self, wildcards: Any) -> list[str]:
        run = self._config.facts(wildcards.competition)["run"]
        return [f"results/{wildcards.competition}/{name}/scored.jsonl" for name in run]

    @property
    def sent(self) -> list[str]:
        """What became of the submissions of all experiments that `run` names."""
        return [f"results/{self._competition}/{name}/sent.csv" for name in self._config.facts(self._competition)["run"]]

    def to_send(self, wildcards: Any) -> str:
        """The submission that goes to Kaggle."""
        competition = wildcards.competition
        if not self._config.facts(competition)["kaggle"]:
            raise ConfigError(f"{COMPETITIONS / competition}.yaml: archive: only to a kaggle:NAME can anything be sent")
        return f"results/{competition}/{wildcards.experiment}/{self._config.submission(competition)}"

    def behind(self, competition: str, name: str) -> Settings:
        """All that the config says an experiment's figures depend on, and nothing else; an ensemble's and a pupil's
        depend on others' too. The archive is not in it."""
        if (members := self._config.ensembles.get(name)) is not None:
            return {"members": members, "experiments": {each: self.behind(competition, each) for each in members}}
        settings, facts = self._config.experiment(competition, name), self._config.facts(competition)
        device = self._config.device
        network, teachers = settings["train"]["network"], settings["train"]["teachers"]
        unused = {"robustness", *(() if network in PRETRAINED else ("backbone", "weights"))}
        unused |= {"held_out"} if settings["folds"] or self._config.has_validation(competition) else set()
        trained = {key: each for key, each in settings["train"].items() if key == network or not isinstance(each, dict)}
        return {
            **{key: value for key, value in settings.items() if key not in unused},
            "train": {key: each for key, each in trained.items() if teachers or key not in ("teachers", "sharpness")},
            **{block: _without(facts[block], IN_THE_INDEX) for block in DATA_BLOCKS},
            "device": {"precision": self._precision, "deterministic": device["deterministic"]}
            | ({} if network in EMBEDDED else {"gpus": device["gpus"]}),
            **({"experiments": {each: self.behind(competition, each) for each in teachers}} if teachers else {}),
        }

    def latest(self, competition: str, name: str) -> Scored | None:
        """What an experiment was scored with last; None where its settings are others now."""
        scored = read(Path(f"results/{competition}/{name}/scored.jsonl"))
        try:
            return scored[-1] if scored and scored[-1].settings == plain(self.behind(competition, name)) else None
        except ConfigError:  # only the one that is asked for need be right
            return None

    def keys(self, competition: str, name: str) -> list[str]:
        """The dotted names of what the config says of a competition and of one experiment, if it is one."""
        own = self.behind(competition, name) if name in [*self._config.experiments, *self._config.ensembles] else {}
        known = {**self._config.facts(competition), **own, "device": self._config.device}
        return sorted((".".join(map(str, keys)) for keys, _ in leaves(known)), key=len)

    def _leaderboard(self, competition: str) -> Settings:
        facts, known = self._config.facts(competition), [*self._config.experiments, *self._config.ensembles]
        files = {path.parent.name: path for path in sorted(Path("results", competition).glob("*/scored.jsonl"))}
        others = [name for name in dict.fromkeys([*known, *files]) if name in files and name not in facts["run"]]
        digests = {name: [each.digest for each in read(files[name])] for name in others}
        fitting = [name for name in digests if self.latest(competition, name)]
        return {
            "experiments": facts["run"],
            "others": digests,
            "fitting": fitting,
            "teachers": self._config.teachers(competition, [*facts["run"], *fitting]),
            "metric": facts["metric"],
        }

    def _check_gpus(self) -> None:
        """Raises ConfigError where a fit wants more GPUs than there are to be had, as far as this machine knows."""
        wanted, here = self._config.device["gpus"], len(machine.cards())
        if self._gpus and wanted > self._gpus:
            raise ConfigError(f"device.gpus: a fit on {wanted} needs --resources gpu={wanted} or more")
        if here and wanted > here:
            raise ConfigError(f"device.gpus: {wanted}, but this machine shows {here}")

    def _beside_on_gpus(self) -> int:
        """How many fits have GPUs of their own at a time; 0 where there is none to be had."""
        here = len(machine.cards())
        free = here if self._gpus is None else min(here, self._gpus)
        return free // self._config.device["gpus"]

    def _train(self, wildcards: Any) -> Settings:
        experiment = self._config.experiment(wildcards.competition, wildcards.experiment)
        network, (seed, fold) = experiment["train"]["network"], _fit(wildcards)
        options = {**experiment["train"][network], "size": experiment["size"]}
        options["fit"] = self._config.facts(wildcards.competition)["preprocess"]["fit"]
        options["precision"] = self._precision
        if network not in EMBEDDED:
            options["gpus"] = gpus = self._config.device["gpus"]
            if options["batch"] % gpus:
                where = f"experiments.{wildcards.experiment}.train.{network}.batch"
                raise ConfigError(f"{where}: {options['batch']} photos cannot be shared out evenly among {gpus} GPUs")
        if network in PRETRAINED:
            options |= {key: experiment[key] for key in ("backbone", "weights")}
        return {
            "network": network,
            "fold": fold,
            "seed": seed,
            "sharpness": experiment["train"]["sharpness"] if experiment["train"]["teachers"] else 1.0,
            "deterministic": self._config.device["deterministic"],
            "options": options,
        }

    def _predict(self, wildcards: Any) -> Settings:
        experiment, (_, fold) = self._config.experiment(wildcards.competition, wildcards.experiment), _fit(wildcards)
        splits = self._predicted(wildcards)
        return {
            "network": experiment["train"]["network"],
            "fold": fold,
            "splits": splits,
            **experiment["predict"],
            "saved_model": self._saved_model(wildcards),
        }

    def _predicted(self, wildcards: Any) -> list[str]:
        """The splits that hold photos which a fit has not seen and is asked for."""
        alone = not self._config.experiment(wildcards.competition, wildcards.experiment)["folds"]
        _, fold = _fit(wildcards)
        own = ["train"] if fold is not None else []
        judging = ["validation"] if self._config.has_validation(wildcards.competition) else []
        return own if alone and fold is not None else [*own, *judging, "test"]

    def _measured(self, wildcards: Any) -> list[str]:
        """The split that a fit on pixels which leaves no fold out measures itself on, if there is one."""
        network = self._config.experiment(wildcards.competition, wildcards.experiment)["train"]["network"]
        measures = network not in EMBEDDED and _left_out(wildcards.fit) is None
        return ["validation"] if measures and self._config.has_validation(wildcards.competition) else []

    def _robustness(self, wildcards: Any) -> Settings:
        fits = [Path(model).parent.name for model in self.models(wildcards)]
        experiment = self._config.experiment(wildcards.competition, wildcards.experiment)
        return {
            "split": self._judging_split(wildcards),
            "left_out": [-1 if fold is None else fold for fold in map(_left_out, fits)],
            **experiment["predict"],
            "corruptions": experiment["robustness"],
            "saved_model": self._saved_model(wildcards),
        }

    def _judging_split(self, wildcards: Any) -> str:
        experiment = self._config.experiment(wildcards.competition, wildcards.experiment)
        return self._config.judging_split(wildcards.competition, experiment)

    def _seeds(self, wildcards: Any) -> list[int]:
        if wildcards.experiment in self._config.ensembles:
            return []
        return self._config.experiment(wildcards.competition, wildcards.experiment)["train"]["seeds"]

    def _views(self, wildcards: Any) -> list[str]:
        if wildcards.experiment in self._config.ensembles:
            return []
        return self._config.experiment(wildcards.competition, wildcards.experiment)["predict"]["views"]

    def _models(self, names: list[str]) -> list[str]:
        """The finished models of all fits of these experiments, and of the members of these ensembles."""
        members = dict.fromkeys(member for name in names for member in self._config.ensembles.get(name, [name]))
        jobs = [SimpleNamespace(competition=self._competition, experiment=member) for member in members]
        return [str(Path(path).with_name("model.keras")) for job in jobs for path in self.fits(job)]

    def _download(self, facts: Settings) -> Settings:
        """The archive and its digest, or the files that it is put together from."""
        several = isinstance(facts["archive"], dict)
        return {
            "archive": None if several else facts["archive"],
            "sha256": facts["sha256"],
            "files": facts["archive"] if several else None,
        }

    def _submit(self, wildcards: Any) -> Settings:
        expected = self._config.submission(wildcards.competition)
        if wildcards.submission != expected:
            raise ConfigError(f"{wildcards.submission}: the submission of {wildcards.competition} is {expected}")
        zipped = self._config.zipped(wildcards.competition)
        return {"inside": zipped[1] if zipped else None}

    def _pretrained(self, wildcards: Any) -> tuple[str, ...]:
        """The backbone that a job builds and its weights; empty where it builds none."""
        if not hasattr(wildcards, "backbone"):
            experiment = self._config.experiment(wildcards.competition, wildcards.experiment)
            pretrained = experiment["train"]["network"] in PRETRAINED
            return (experiment["backbone"], experiment["weights"]) if pretrained else ()
        for name in self._config.experiments:
            # Only the one that is asked for need be right.
            settings = self._config.merged(wildcards.competition, name)
            if {"backbone", "weights"} <= {*settings} and _folder(settings) == wildcards.backbone:
                experiment = self._config.experiment(wildcards.competition, name)
                return experiment["backbone"], experiment["weights"]
        raise ConfigError(f"no experiment has embeddings in a folder '{wildcards.backbone}'")

    def _saved_model(self, wildcards: Any) -> str | None:
        """The folder or handle of the SavedModel that a model may be built on: the one that its experiment names."""
        backbone, weights = self._pretrained(wildcards) or ("", None)
        return weights if backbone == "saved_model" else None


def _view_groups(experiment: Settings, rule: str, split: str) -> list[list[str]]:
    """The views of a split that stand in one file together."""
    to_train, to_predict = experiment["train"]["head"]["views"], experiment["predict"]["views"]
    if rule == "train":
        return [to_train]
    if split != "train":
        return [to_predict]
    more = [view for view in to_predict if view not in to_train]
    return [*([to_train] if len(more) < len(to_predict) else []), *([more] if more else [])]


def _without(settings: Settings, keys: tuple[str, ...]) -> Settings:
    return {key: value for key, value in settings.items() if key not in keys}


def _folder(experiment: Settings) -> str:
    """What the folder of a backbone's embeddings is named: other weights have another one."""
    backbone, weights = experiment["backbone"], experiment["weights"]
    if weights == "imagenet":
        return backbone
    return f"{backbone}-{weights if weights == 'none' else hashlib.sha256(weights.encode()).hexdigest()[:8]}"


def _fit(wildcards: Any) -> tuple[int, int | None]:
    """The seed of a fit and the fold that it leaves out, if any."""
    seed = wildcards.fit.partition("-")[0]
    return int(seed.removeprefix("seed")), _left_out(wildcards.fit)


def _left_out(fit: str) -> int | None:
    fold = fit.partition("-")[2]
    return None if fold == "all" else int(fold.removeprefix("fold"))
