"""Podium: from a zip of photos and two tables to a checked submission. See README.md."""

import atexit
import sys
import time

sys.path.insert(0, f"{workflow.basedir}/workflow/scripts")

from podium.plan import Plan


configfile: "config/config.yaml"


claimable = workflow.global_resources.get("gpu")
plan = Plan(config, workflow.config_settings.overwrite_config, claimable and claimable.value)


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


onsuccess:
    # At the very end, behind what Snakemake still has to say.
    if "all" in [job.rule.name for job in workflow.dag.jobs]:
        atexit.register(lambda: print(plan.summary()))
