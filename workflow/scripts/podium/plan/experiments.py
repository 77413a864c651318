"""What a job is about: its experiment, the fit of it, and the backbone. No TensorFlow."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from podium.backbones.families import BACKBONES, FAMILIES, WITHOUT_A_FILE
from podium.networks import NETWORKS, Network
from podium.plan.config import Config
from podium.plan.settings import ConfigError, Settings


class Fit(NamedTuple):
    """A fit of an experiment: its seed, and the fold that it leaves out, if any."""

    seed: int
    fold: int | None

    @classmethod
    def named(cls, name: str) -> "Fit":
        seed, _, fold = name.partition("-")
        return cls(int(seed.removeprefix("seed")), None if fold == "all" else int(fold.removeprefix("fold")))

    def __str__(self) -> str:
        return f"seed{self.seed}-{'all' if self.fold is None else f'fold{self.fold}'}"


class Backbone(NamedTuple):
    """A pretrained network and where its weights come from."""

    name: str
    weights: str

    @property
    def family(self) -> str:
        return BACKBONES[self.name]

    @property
    def folder(self) -> str:
        """What the folder of its embeddings is named: other weights have another one."""
        if self.weights == "imagenet":
            return self.name
        mark = "none" if self.weights == "none" else hashlib.sha256(self.weights.encode()).hexdigest()[:8]
        return f"{self.name}-{mark}"

    @property
    def files(self) -> list[str]:
        """Those of its weights; none where they come from elsewhere."""
        if self.weights in WITHOUT_A_FILE:
            return []
        path = Path(self.weights)
        return [str(each) for each in (sorted(path.rglob("*")) if path.is_dir() else [path]) if each.is_file()]

    @property
    def in_place(self) -> str | None:
        """The folder or handle that a model built on it needs to be loaded; None if it needs none."""
        return self.weights if FAMILIES[self.family].in_place else None


@dataclass(frozen=True)
class Experiment:
    """An experiment or an ensemble of a competition. An ensemble has no settings, and so no fits.

    What is asked of it raises ConfigError where there is no such experiment, or where its settings are wrong.
    """

    config: Config
    competition: str
    name: str

    @property
    def folder(self) -> str:
        return f"results/{self.competition}/{self.name}"

    @property
    def members(self) -> list[str]:
        """The experiments that an ensemble blends; of an experiment none."""
        return self.config.ensembles.get(self.name, [])

    @property
    def settings(self) -> Settings:
        return self.config.experiment(self.competition, self.name)

    @property
    def train(self) -> Settings:
        return self.settings["train"]

    @property
    def network(self) -> Network:
        """What the menu says of its network."""
        return NETWORKS[self.train["network"]]

    @property
    def own(self) -> Settings:
        """The settings of its network."""
        return self.train[self.train["network"]]

    @property
    def backbone(self) -> Backbone | None:
        return Backbone(self.settings["backbone"], self.settings["weights"]) if self.network.pretrained else None

    @property
    def judging_split(self) -> str:
        """The split whose photos judge it."""
        return self.config.judging_split(self.competition, self.settings)

    @property
    def seeds(self) -> list[int]:
        return [] if self.members else self.train["seeds"]

    @property
    def views(self) -> list[str]:
        """Those to predict."""
        return [] if self.members else self.settings["predict"]["views"]

    @property
    def fits(self) -> list[Fit]:
        """Seed by seed: one for each fold or one on all photos, and beside it one that is judged if no other can be."""
        if self.members:
            return []
        folds: list[int | None] = [*range(self.settings["folds"])] or [None]
        if not self.settings["folds"] and self.judging_split == "train":
            folds.append(0)
        return [Fit(seed, fold) for seed in self.seeds for fold in folds]

    def predicted(self, fit: Fit) -> list[str]:
        """The splits that hold photos which a fit has not seen and is asked for."""
        own = ["train"] if fit.fold is not None else []
        judging = ["validation"] if self.config.has_validation(self.competition) else []
        return own if own and not self.settings["folds"] else [*own, *judging, "test"]

    def trained_on(self, fit: Fit) -> list[str]:
        """The splits that a fit reads to train: with teachers also the photos that they label; on pixels, with no fold
        left out, also the validation photos, to measure itself on."""
        more: list[str] = []
        if self.train["teachers"]:
            more = self.predicted(fit)
        elif self.network.reads == "pixels" and fit.fold is None and self.config.has_validation(self.competition):
            more = ["validation"]
        return list(dict.fromkeys(["train", *more]))


class Job(NamedTuple):
    """A job of any rule: what its wildcards name, as far as they do."""

    config: Config
    wildcards: Any

    @property
    def competition(self) -> str:
        return self.wildcards.competition

    @property
    def facts(self) -> Settings:
        return self.config.facts(self.competition)

    @property
    def task(self) -> Settings:
        """The competition's task with its settings, as a step takes it."""
        return {"task": self.config.task(self.competition)}

    @property
    def judged(self) -> Settings:
        """The same with the competition's metric, for steps in which it decides."""
        return {"task": self.config.judged_task(self.competition)}

    @property
    def experiment(self) -> Experiment:
        return Experiment(self.config, self.competition, self.wildcards.experiment)

    @property
    def fit(self) -> Fit:
        return Fit.named(self.wildcards.fit)

    @property
    def backbone(self) -> Backbone | None:
        """The backbone that it builds: that of its experiment, or the one whose embeddings it makes."""
        if not hasattr(self.wildcards, "backbone"):
            return self.experiment.backbone
        for name, backbone in self._backbones():
            if backbone.folder == self.wildcards.backbone:
                self.config.experiment(self.competition, name)  # only the one that is asked for need be right
                return backbone
        raise ConfigError(f"no experiment has embeddings in a folder '{self.wildcards.backbone}'")

    def _backbones(self) -> Iterator[tuple[str, Backbone]]:
        """Each experiment's name and backbone, unchecked."""
        for name in self.config.experiments:
            settings = self.config.merged(self.competition, name)
            if {"backbone", "weights"} <= {*settings}:
                yield name, Backbone(settings["backbone"], settings["weights"])
