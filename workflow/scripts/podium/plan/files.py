"""The files that each rule reads. No TensorFlow."""

from pathlib import Path

from podium.digests import SUFFIX
from podium.plan.config import COMPETITIONS, KAGGLE, Config
from podium.plan.experiments import Experiment, Fit
from podium.plan.settings import ConfigError

HELD_OUT = 5  # with `folds: 0`, one photo in so many is the yardstick of a fit beside


def archive(config: Config, competition: str) -> list[str]:
    """The local archive, if it is a file; `archive_state` is what it contains."""
    given, source = config.facts(competition)["archive"], Path(f"data/{competition}/source.zip")
    if given is None:
        if not (source.exists() and Path(f"{source}{SUFFIX}").exists()):
            how = f"bring it with --config competition={competition} archive=PATH_OR_URL"
            raise ConfigError(f"{COMPETITIONS / competition}.yaml: archive: {how}")
        return [f"{source}.archive"]  # not there, so that Snakemake takes source.zip as it is
    if isinstance(given, dict) or given.startswith(("builtin:", KAGGLE)) or "://" in given:
        return []
    path = Path(given).expanduser()
    if not path.exists():
        hint = f"; leave it out to go on with {source}" if source.exists() else ""
        raise ConfigError(f"{config.fact_at(competition, 'archive')}: no file or folder at {given}{hint}")
    return [] if path.is_dir() else [str(path)]


def archive_state(config: Config, competition: str) -> str:
    """A digest of what a local archive, a file or a folder, contains; empty for any other."""
    given = config.facts(competition)["archive"]
    path = Path(given).expanduser() if isinstance(given, str) else None
    return config.content(path) if path and path.exists() else ""


def folds(experiment: Experiment) -> str:
    return f"data/{experiment.competition}/folds{experiment.settings['folds'] or HELD_OUT}.csv"


def photos(rule: str, experiment: Experiment, fit: Fit) -> list[str]:
    """The pixels or embeddings that `train` or `predict` reads, in the index's order.

    The views to train on have files of their own, so that other views to predict leave them as they are.
    """
    splits = experiment.trained_on(fit) if rule == "train" else experiment.predicted(fit)
    if experiment.network.reads == "pixels":
        return [path for split in splits for path in pixels(experiment, split)]
    return [
        path
        for split in splits
        for views in _view_groups(rule, experiment, split)
        for path in embeddings(experiment, split, views)
    ]


def features(experiment: Experiment) -> list[str]:
    """The numbers beside the photos, for a network that can use them; none where the competition names none."""
    known = experiment.config.features(experiment.competition)
    return [f"data/{experiment.competition}/features.npy"] if known and experiment.network.reads == "embeddings" else []


def pixels(experiment: Experiment, split: str) -> list[str]:
    return [f"{_stored(experiment)}/{part}.npy" for part in _parts(experiment, split)]


def embeddings(experiment: Experiment, split: str, views: list[str]) -> list[str]:
    assert experiment.backbone
    folder = f"{_stored(experiment)}/{experiment.backbone.folder}/{'+'.join(views)}"
    return [f"{folder}/{part}.npy" for part in _parts(experiment, split)]


def teachers(experiment: Experiment, fit: Fit) -> list[str]:
    """The predictions that a fit takes as labels: those of the teachers' fits that left the same photos out."""
    names = experiment.train["teachers"]
    found = [Experiment(experiment.config, experiment.competition, name) for name in names]
    return [f"{each.folder}/{Fit(seed, fit.fold)}/predictions.npy" for each in found for seed in each.seeds]


def of_fits(experiment: Experiment, file: str) -> list[str]:
    """This file of each fit, seed by seed; none for an ensemble."""
    return [f"{experiment.folder}/{fit}/{file}" for fit in experiment.fits]


def judged(experiment: Experiment) -> list[Fit]:
    """The fits that the yardstick judges; raises ConfigError for an ensemble."""
    if experiment.members:
        raise ConfigError(f"{experiment.name}: an ensemble has no model; ask for one of its members")
    left_out = experiment.judging_split == "train"
    return [fit for fit in experiment.fits if not (left_out and fit.fold is None)]


def histories(experiment: Experiment) -> list[str]:
    """How each fit went; raises ConfigError for an ensemble."""
    if experiment.members:
        raise ConfigError(f"{experiment.name}: an ensemble has no learning curves; ask for one of its members")
    return of_fits(experiment, "history.csv")


def members(experiment: Experiment) -> list[str]:
    """The predictions that an ensemble blends."""
    experiment.config.check_experiment(experiment.competition, experiment.name)
    return [f"results/{experiment.competition}/{name}/predictions.npy" for name in experiment.members]


def submission(experiment: Experiment) -> str:
    return f"{experiment.folder}/{experiment.config.submission(experiment.competition)}"


def to_send(experiment: Experiment) -> str:
    """The submission that goes to Kaggle; raises ConfigError if the competition is not there."""
    competition = experiment.competition
    if not experiment.config.facts(competition)["kaggle"]:
        raise ConfigError(f"{COMPETITIONS / competition}.yaml: archive: only to a kaggle:NAME can anything be sent")
    return submission(experiment)


def _stored(experiment: Experiment) -> str:
    return f"data/{experiment.competition}/{experiment.settings['size']}px"


def _parts(experiment: Experiment, split: str) -> list[str]:
    shards = experiment.config.facts(experiment.competition)["index"]["shards"]
    return [f"{split}-{shard}" for shard in range(shards)]


def _view_groups(rule: str, experiment: Experiment, split: str) -> list[list[str]]:
    """The views of a split that stand in one file together."""
    to_train, to_predict = experiment.own["views"], experiment.views
    if rule == "train":
        return [to_train]
    if split != "train":
        return [to_predict]
    more = [view for view in to_predict if view not in to_train]
    return [*([to_train] if len(more) < len(to_predict) else []), *([more] if more else [])]
