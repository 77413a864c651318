"""Podium: from a zip of photos and two tables to a checked submission. See README.md."""

import atexit
import sys
import time

sys.path.insert(0, f"{workflow.basedir}/workflow/scripts")

from podium import machine
from podium.digests import digests
from podium.plan.plan import Plan
from podium.plan.summary import Once, last_words


configfile: "config/config.yaml"


if workflow.nodes is None:  # not on a cluster: all jobs together claim no more memory than there is
    workflow.global_resources.setdefault("mem_mb", machine.memory())
claimable = workflow.global_resources.get("gpu")
plan = Plan(
    config, workflow.config_settings.config, workflow.config_settings.configfiles, claimable and claimable.value
)
workflow.logger_manager.logger.addFilter(Once())
# At the very end, below what Snakemake has to say, of a run without jobs and of one that fails too.
atexit.register(lambda: print(last_words(plan, workflow), end=""))


wildcard_constraints:
    competition=r"[^/]+",
    experiment=r"[^/]+",
    backbone=r"[^/]+",
    views=r"[^/]+",
    part=r"(train|validation|test)-\d+",
    size=r"\d+",
    folds=r"\d+",
    fit=r"seed\d+-(fold\d+|all)",


rule all:
    """Submissions, learning curves and leaderboard of the configured experiments."""
    input:
        plan.targets,


include: "workflow/rules/data.smk"
include: "workflow/rules/experiment.smk"
include: "workflow/rules/submission.smk"
