"""The settings of each rule: a function of the rule's name returns the keyword arguments of the step. No TensorFlow.

They are one dict of plain types, so that Snakemake, which compares params without their names, tracks them too.
"""

from pathlib import Path

from podium.plan import behind, files
from podium.plan.experiments import Job
from podium.plan.settings import ConfigError, Settings
from podium.tasks import TASKS


def download(job: Job) -> Settings:
    """The archive and its digest, or the files that it is put together from, and what is unpacked of it."""
    archive, several = job.facts["archive"], isinstance(job.facts["archive"], dict)
    unpack = job.facts["unpack"]
    return {
        "archive": None if several else archive,
        "sha256": job.facts["sha256"],
        "files": archive if several else None,
        "unpack": unpack if isinstance(unpack, dict) else {name: name for name in unpack},
    }


def index(job: Job) -> Settings:
    return {**job.task, "layout": job.config.layout(job.competition), **job.facts["index"]}


def split(job: Job) -> Settings:
    return {**job.task, "count": int(job.wildcards.folds), **job.facts["split"]}


def ask(job: Job) -> Settings:
    asked = {
        key: job.facts["submission"][key] for key in ("sample", "ids", "form", "top", "separator", "decimals", "pixel")
    }
    return {**job.judged, "tables": job.facts["tables"], **asked}


def pack(job: Job) -> Settings:
    return {"shards": job.facts["index"]["shards"], "layout": job.config.layout(job.competition)}


def preprocess(job: Job) -> Settings:
    own = {"part": job.wildcards.part, "size": int(job.wildcards.size), "grey": job.config.grey(job.competition)}
    return {**own, **job.facts["preprocess"]}


def embed(job: Job) -> Settings:
    assert job.backbone
    return {
        "part": job.wildcards.part,
        "backbone": job.backbone.name,
        "weights": job.backbone.weights,
        "views": job.wildcards.views.split("+"),
        "precision": job.config.precision,
    }


def train(job: Job) -> Settings:
    experiment, device = job.experiment, job.config.device
    options = {**experiment.own, "size": experiment.settings["size"], "fit": job.facts["preprocess"]["fit"]}
    options["precision"] = job.config.precision
    if experiment.network.claims_gpus != "never":
        options["gpus"] = device["gpus"]
        _check_batch(job)
    if job.backbone:
        options |= {"backbone": job.backbone.name, "weights": job.backbone.weights}
    ((task, asked),) = job.judged["task"].items()
    chosen = {key: experiment.train[key] for key in TASKS[task].chosen}
    return {
        "task": {task: asked | chosen},
        "network": experiment.train["network"],
        "fold": job.fit.fold,
        "seed": job.fit.seed,
        "sharpness": experiment.train["sharpness"] if experiment.train["teachers"] else 1.0,
        "deterministic": device["deterministic"],
        "balance": experiment.train["balance"],
        "columns": job.config.features(job.competition) if files.features(experiment) else [],
        "options": options,
    }


def predict(job: Job) -> Settings:
    return {
        **job.task,
        "network": job.experiment.train["network"],
        "fold": job.fit.fold,
        "splits": job.experiment.predicted(job.fit),
        **job.experiment.settings["predict"],
        "saved_model": _saved_model(job),
    }


def pool(job: Job) -> Settings:
    return job.task


def blend(job: Job) -> Settings:
    return {**job.judged, "names": job.experiment.members}


def calibrate(job: Job) -> Settings:
    return {**job.task, "seeds": job.experiment.seeds, "views": job.experiment.views}


def decide(job: Job) -> Settings:
    return job.judged


def evaluate(job: Job) -> Settings:
    return {**job.judged, "seeds": job.experiment.seeds, "settings": behind.behind(job.experiment)}


def submit(job: Job) -> Settings:
    expected = job.config.submission(job.competition)
    if job.wildcards.submission != expected:
        raise ConfigError(f"{job.wildcards.submission}: the submission of {job.competition} is {expected}")
    zipped = job.config.zipped(job.competition)
    return {**job.task, "inside": zipped[1] if zipped else None}


def upload(job: Job) -> Settings:
    return {"competition": job.facts["kaggle"], "experiment": job.experiment.name}


def leaderboard(job: Job) -> Settings:
    run, compared = job.facts["run"], behind.compared(job.config, job.competition)
    return {
        **job.judged,
        "experiments": run,
        **compared,
        "teachers": job.config.teachers(job.competition, [*run, *compared["fitting"]]),
    }


def curves(job: Job) -> Settings:
    names = [Path(history).parent.name for history in files.histories(job.experiment)]
    return {"names": names, "title": f"{job.experiment.name} on {job.competition}"}


def panels(job: Job) -> Settings:
    title = f"{job.experiment.name} on {job.competition}"
    return {**job.judged, "split": job.experiment.judging_split, "title": title}


def export(job: Job) -> Settings:
    return {"saved_model": _saved_model(job)}


def robustness(job: Job) -> Settings:
    judged = files.judged(job.experiment)
    return {
        **job.judged,
        "split": job.experiment.judging_split,
        "left_out": [-1 if fit.fold is None else fit.fold for fit in judged],
        **job.experiment.settings["predict"],
        "corruptions": job.experiment.settings["robustness"],
        "saved_model": _saved_model(job),
    }


def _check_batch(job: Job) -> None:
    """Raises ConfigError unless each of a fit's GPUs gets as many photos of a batch."""
    network, gpus, batch = job.experiment.train["network"], job.config.device["gpus"], job.experiment.own["batch"]
    if batch % gpus:
        where = f"experiments.{job.experiment.name}.train.{network}.batch"
        raise ConfigError(f"{where}: {batch} photos cannot be shared out evenly among {gpus} GPUs")


def _saved_model(job: Job) -> str | None:
    """The folder or handle of the SavedModel that a model may be built on: the one that its experiment names."""
    return job.backbone.in_place if job.backbone else None
