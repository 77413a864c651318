"""What the Snakefile asks: what to build, from which files, with which settings. No TensorFlow."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from podium.plan import behind, files, params, resources
from podium.plan.config import Config
from podium.plan.experiments import Experiment, Job
from podium.plan.fingerprint import fingerprint
from podium.plan.machines import Machines
from podium.plan.settings import ConfigError, Settings, instead
from podium.predictions.history import Scored
from podium.tasks import OWN


class Plan:
    """The plan for the configured competition; raises ConfigError, in one line that names file and key.

    All of the config is checked when the plan is made, before any job runs. `targets` are the files to build.
    """

    def __init__(self, config: Settings, said: Settings, files: Iterable[Path] = (), gpus: int | None = None) -> None:
        """`config` is all of it; in it what the command line gave, in one's own files and over them with `--config`.

        `gpus` is how many GPUs all jobs together may claim at a time, None for any number.
        """
        self.config = Config(config, said, files)
        self._machines = Machines(self.config.device, gpus)
        self._check()
        self.targets = self._targets()

    def _check(self) -> None:
        competition, known = self.config.competition, self.config.names
        run = self.config.facts(competition)["run"]
        self.archive_file(competition)
        for name in run:
            if name not in known:
                at = self.config.fact_at(competition, "run")
                raise ConfigError(f"{at}: no experiment '{name}'{instead(name, known)}")
            self.config.check_experiment(competition, name)
        self.config.check_defaults(competition, run)

    def _targets(self) -> list[str]:
        """Submissions, pictures, the finished models of all fits, an ensemble's members' too, and the leaderboard."""
        run = [self._of(name) for name in self.config.facts(self.config.competition)["run"]]
        fitted = dict.fromkeys(member for each in run for member in each.members or [each.name])
        return [
            *map(files.submission, run),
            *(f"{each.folder}/{picture}.png" for each in run if not each.members for picture in self._pictures(each)),
            *(model for name in fitted for model in files.of_fits(self._of(name), "model.keras")),
            f"results/{self.config.competition}/leaderboard.csv",
        ]

    @staticmethod
    def _pictures(experiment: Experiment) -> list[str]:
        """What is drawn of an experiment."""
        return ["curves", "panels"] if experiment.network.dense else ["curves"]

    def _of(self, name: str) -> Experiment:
        return Experiment(self.config, self.config.competition, name)

    def _job(self, wildcards: Any) -> Job:
        return Job(self.config, wildcards)

    # The params of a rule.

    def settings(self, rule: str, wildcards: Any) -> Settings:
        """The keyword arguments of a rule's function."""
        return getattr(params, rule)(self._job(wildcards))

    def code(self, rule: str, wildcards: Any = None) -> str:
        """What the rule's code means; of tasks, layouts, networks and backbones only what is used here."""
        job, also = self._job(wildcards), list[str]()
        if task := bool(wildcards and "task" in self.settings(rule, wildcards)):
            also.append(f"podium.tasks.{job.facts['task']}")
        if rule in ("index", "pack"):
            also += [f"podium.archives.layouts.{name}" for name in self.config.layout(job.competition)]
        if rule in ("train", "predict"):
            also.append(f"podium.networks.{job.experiment.train['network']}")
        if rule in ("embed", "train", "predict", "robustness", "export") and (backbone := job.backbone):
            # A model file is read without the backbone's code, unless its weights stay in place.
            needed = rule in ("embed", "train") or backbone.in_place
            also += [f"podium.backbones.{backbone.family}"] if needed else []
        code = fingerprint(rule, tuple(also))
        metric = next(iter(self.settings(rule, wildcards)["task"].values())).get("metric", "") if task else ""
        return f"{code} {self.config.content(Path(metric))}" if metric.endswith(OWN) else code

    # The files that a rule reads.

    def archive_file(self, competition: str) -> list[str]:
        """The local archive as an input of `download`, if it is a file; `archive_state` is what it contains."""
        return files.archive(self.config, competition)

    def archive_state(self, competition: str) -> str:
        """A digest of what a local archive, a file or a folder, contains; empty for any other."""
        return files.archive_state(self.config, competition)

    def weights(self, wildcards: Any) -> list[str]:
        """The files of the backbone's weights, inputs of `embed` and `train`; none where they come from elsewhere."""
        backbone = self._job(wildcards).backbone
        return backbone.files if backbone else []

    def weights_state(self, wildcards: Any) -> str:
        """A digest of what the backbone's weights, if they are a file or a folder, contain; empty for any others."""
        backbone = self._job(wildcards).backbone
        return self.config.content(Path(backbone.weights)) if backbone and backbone.files else ""

    def folds(self, wildcards: Any) -> str:
        return files.folds(self._job(wildcards).experiment)

    def photos(self, rule: str, wildcards: Any) -> list[str]:
        """The pixels or embeddings that `train` or `predict` reads, in the index's order."""
        job = self._job(wildcards)
        return files.photos(rule, job.experiment, job.fit)

    def features(self, wildcards: Any) -> list[str]:
        """The numbers beside the photos that `train` and `predict` read; none for most."""
        return files.features(self._job(wildcards).experiment)

    def teachers(self, wildcards: Any) -> list[str]:
        """The predictions that a fit takes as labels."""
        job = self._job(wildcards)
        return files.teachers(job.experiment, job.fit)

    def fits(self, wildcards: Any) -> list[str]:
        """The predictions of each fit of an experiment, seed by seed; none for an ensemble."""
        return files.of_fits(self._job(wildcards).experiment, "predictions.npy")

    def one_view(self, wildcards: Any) -> list[str]:
        """What each fit predicts of photos that may judge from one view alone; none for an ensemble."""
        return files.of_fits(self._job(wildcards).experiment, "one_view.npy")

    def histories(self, wildcards: Any) -> list[str]:
        """How each fit of an experiment went."""
        return files.histories(self._job(wildcards).experiment)

    def models(self, wildcards: Any) -> list[str]:
        """The models, as they were fitted, of the fits that the yardstick judges."""
        experiment = self._job(wildcards).experiment
        return [f"{experiment.folder}/{fit}/fitted.keras" for fit in files.judged(experiment)]

    def judging(self, wildcards: Any) -> list[str]:
        """The pixels of the photos that judge."""
        experiment = self._job(wildcards).experiment
        return files.pixels(experiment, experiment.judging_split)

    def members(self, wildcards: Any) -> list[str]:
        """The predictions that an ensemble blends."""
        return files.members(self._job(wildcards).experiment)

    def scored(self, wildcards: Any) -> list[str]:
        """The scores of all experiments that `run` names."""
        run = self._job(wildcards).facts["run"]
        return [f"results/{wildcards.competition}/{name}/scored.jsonl" for name in run]

    def to_send(self, wildcards: Any) -> str:
        """The submission that goes to Kaggle."""
        return files.to_send(self._job(wildcards).experiment)

    @property
    def sent(self) -> list[str]:
        """What became of the submissions of all experiments that `run` names."""
        run = self.config.facts(self.config.competition)["run"]
        return [f"{self._of(name).folder}/sent.csv" for name in run]

    # The names of experiments.

    @property
    def ensembles(self) -> str:
        """A pattern of the ensembles' names, to tell their rule from the experiments'."""
        return "|".join(map(re.escape, self.config.ensembles)) or "(?!)"

    @property
    def experiments(self) -> str:
        """A pattern of everything else, so that a wrong name is answered by us."""
        return f"(?!(?:{self.ensembles})/)[^/]+"

    # What a job may use of the machine.

    def cores(self, cores: int | None) -> int:
        """Those that Snakemake may use, or as many of them as `device` says."""
        return self._machines.cores(cores)

    def gpu_cores(self, cores: int | None) -> int:
        """The processor cores of `embed` and `robustness`."""
        return self._machines.gpu_cores(cores)

    def threads(self, wildcards: Any, cores: int | None) -> int:
        """The processor cores of `train` and `predict`."""
        return self._machines.threads(self._job(wildcards).experiment, cores)

    def gpus(self, rule: str, wildcards: Any) -> int:
        """How many GPUs `train` or `predict` claims."""
        return self._machines.gpus(rule, self._job(wildcards).experiment)

    @property
    def gpu_memory(self) -> int:
        """The MB that a step may take of each GPU; 0 for no limit."""
        return self.config.device["gpu_memory"] or 0

    def memory(self, rule: str) -> Callable[..., int]:
        """The MB that a job of the rule claims, as a function of what Snakemake knows of the job."""

        def claimed(wildcards: Any, threads: int, attempt: int) -> int:
            options = params.train(self._job(wildcards))["options"] if rule == "train" else None
            return resources.memory(rule, threads, attempt, options)

        return claimed

    def minutes(self, rule: str) -> Callable[..., int]:
        """The minutes that a job of the rule claims, likewise."""

        def claimed(wildcards: Any, input: Iterable[str], attempt: int) -> int:
            own = [f"{path}/{wildcards.part}.tfrecord" if path.endswith("/records") else path for path in input]
            return resources.minutes(rule, own, attempt, self._times(rule, wildcards))

        return claimed

    def _times(self, rule: str, wildcards: Any) -> int:
        """How many times a job goes through its photos: the epochs of a fit, or the views of each photo."""
        if rule == "embed":
            return len(wildcards.views.split("+"))
        if rule in ("predict", "robustness"):
            return len(self._job(wildcards).experiment.views)
        return params.train(self._job(wildcards))["options"].get("epochs", 1) if rule == "train" else 1

    # What is behind a score.

    def behind(self, competition: str, name: str) -> Settings:
        """All that the config says an experiment's figures depend on, and nothing else."""
        return behind.behind(Experiment(self.config, competition, name))

    def latest(self, competition: str, name: str) -> Scored | None:
        """What an experiment was scored with last; None where its settings are others now."""
        return behind.latest(Experiment(self.config, competition, name))

    def keys(self, competition: str, name: str) -> list[str]:
        """The dotted names of what the config says of a competition and of one experiment, if it is one."""
        return behind.keys(Experiment(self.config, competition, name))
