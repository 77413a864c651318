"""What is behind a score: the settings that it depends on, and whether it was reached with today's. No TensorFlow."""

from collections.abc import Collection
from pathlib import Path

from podium.plan.config import DATA_BLOCKS, Config
from podium.plan.experiments import Experiment
from podium.plan.settings import ConfigError, Settings, leaves
from podium.predictions.history import Scored, plain, read
from podium.tasks import OWN

IN_THE_INDEX = ("strict", "shards")  # what comes to figures only by which photos the index lists


def behind(experiment: Experiment) -> Settings:
    """All that the config says an experiment's figures depend on, and nothing else; an ensemble's and a pupil's
    depend on others' too. The archive is not in it."""
    if experiment.members:
        return {"members": experiment.members, "experiments": _behind_others(experiment, experiment.members)}
    config, teachers = experiment.config, experiment.train["teachers"]
    facts, device = config.facts(experiment.competition), config.device
    unused = {"robustness"} if experiment.network.pretrained else {"robustness", "backbone", "weights"}
    unused |= {"held_out"} if experiment.settings["folds"] or config.has_validation(experiment.competition) else set()
    return {
        **_without(experiment.settings, unused),
        "train": _trained(experiment),
        **{block: _without(facts[block], IN_THE_INDEX) for block in DATA_BLOCKS},
        "task": config.judged_task(experiment.competition),
        **({"own_metric": config.content(Path(facts["metric"]))} if facts["metric"].endswith(OWN) else {}),
        **({"features": features} if (features := _features(experiment)) else {}),
        "device": {"precision": config.precision, "deterministic": device["deterministic"]}
        | ({} if experiment.network.claims_gpus == "never" else {"gpus": device["gpus"]}),
        **({"experiments": _behind_others(experiment, teachers)} if teachers else {}),
    }


def latest(experiment: Experiment) -> Scored | None:
    """What an experiment was scored with last; None where its settings are others now."""
    scored = read(Path(f"{experiment.folder}/scored.jsonl"))
    try:
        return scored[-1] if scored and scored[-1].settings == plain(behind(experiment)) else None
    except ConfigError:  # only the one that is asked for need be right
        return None


def keys(experiment: Experiment) -> list[str]:
    """The dotted names of what the config says of a competition and of one experiment, if it is one."""
    config = experiment.config
    own = behind(experiment) if experiment.name in config.names else {}
    known = {**config.facts(experiment.competition), **own, "device": config.device}
    return sorted((".".join(map(str, keys)) for keys, _ in leaves(known)), key=len)


def compared(config: Config, competition: str) -> Settings:
    """What the leaderboard shows beside the experiments that `run` names: all others that were ever scored, by the
    digests of their scores, and those whose last score fits their settings of today."""
    run = config.facts(competition)["run"]
    files = {path.parent.name: path for path in sorted(Path("results", competition).glob("*/scored.jsonl"))}
    others = [name for name in dict.fromkeys([*config.names, *files]) if name in files and name not in run]
    return {
        "others": {name: [each.digest for each in read(files[name])] for name in others},
        "fitting": [name for name in others if latest(Experiment(config, competition, name))],
    }


def _behind_others(experiment: Experiment, names: list[str]) -> Settings:
    return {name: behind(Experiment(experiment.config, experiment.competition, name)) for name in names}


def _trained(experiment: Experiment) -> Settings:
    """How it is trained, without the settings of other networks, and without those of teachers if there are none."""
    unused = {key for key, each in experiment.train.items() if isinstance(each, dict)} - {experiment.train["network"]}
    return _without(experiment.train, unused if experiment.train["teachers"] else {*unused, "teachers", "sharpness"})


def _features(experiment: Experiment) -> list[str]:
    return experiment.config.features(experiment.competition) if experiment.network.reads == "embeddings" else []


def _without(settings: Settings, keys: Collection[str]) -> Settings:
    return {key: value for key, value in settings.items() if key not in keys}
