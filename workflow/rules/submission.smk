# What a competitor hands in and reads: the submission, its estimated score, and the leaderboard.
#
#   predictions -> evaluate -> leaderboard
#                    `-> submit -> upload
#
#   train -> curves
#
#   finish -> export
#
#   train, calibrate -> robustness
#
# `upload`, `export` and `robustness` run only on request.


rule evaluate:
    """Score one experiment's predictions on photos that its models were not trained on."""
    input:
        digests("results/{competition}/{experiment}/predictions.npy", plan.fits, "data/{competition}/index.csv"),
        predictions=ancient("results/{competition}/{experiment}/predictions.npy"),
        decision="results/{competition}/{experiment}/decision.json",
        fits=ancient(plan.fits),
        index=ancient("data/{competition}/index.csv"),
    output:
        scores="results/{competition}/{experiment}/scores.json",
        classes="results/{competition}/{experiment}/classes.csv",
        mistakes="results/{competition}/{experiment}/mistakes.csv",
        # `update`: earlier scores are kept.
        scored=update("results/{competition}/{experiment}/scored.jsonl"),
    log:
        "logs/{competition}/{experiment}/evaluate.log",
    conda:
        "../envs/podium.yaml"
    resources:
        mem_mb=plan.memory("evaluate"),
        runtime=plan.minutes("evaluate"),
    params:
        settings=lambda w: plan.settings("evaluate", w),
        code=lambda w: plan.code("evaluate", w),
    script:
        "../scripts/evaluate.py"


rule submit:
    """Write the submission and check it against the sample."""
    input:
        "results/{competition}/{experiment}/scores.json",  # no submission without its score
        digests("data/{competition}/asked.json", "results/{competition}/{experiment}/predictions.npy"),
        asked=ancient("data/{competition}/asked.json"),
        predictions=ancient("results/{competition}/{experiment}/predictions.npy"),
        decision="results/{competition}/{experiment}/decision.json",
    output:
        submission="results/{competition}/{experiment}/{submission}",
    log:
        "logs/{competition}/{experiment}/{submission}.log",
    wildcard_constraints:
        submission=r"submission\.(csv|tsv)|[^/]+\.zip",
    conda:
        "../envs/podium.yaml"
    resources:
        mem_mb=plan.memory("submit"),
        runtime=plan.minutes("submit"),
    params:
        settings=lambda w: plan.settings("submit", w),
        code=lambda w: plan.code("submit", w),
    script:
        "../scripts/submit.py"


rule upload:
    """Send the submission to Kaggle, unless it was sent before, and fetch its status and score."""
    input:
        submission=plan.to_send,
    output:
        # `update`: if Kaggle cannot be reached, what is known is kept.
        sent=update("results/{competition}/{experiment}/sent.csv"),
    log:
        "logs/{competition}/{experiment}/upload.log",
    conda:
        "../envs/kaggle.yaml"
    resources:
        mem_mb=plan.memory("upload"),
        runtime=plan.minutes("upload"),
    params:
        settings=lambda w: plan.settings("upload", w),
        code=plan.code("upload"),
        # Different each time, so that Kaggle is asked again: scores come later.
        asked=time.time_ns(),
    script:
        "../scripts/upload.py"


rule send:
    """Send the submissions of the experiments that `run:` names, or fetch their scores."""
    input:
        plan.sent,


rule leaderboard:
    """Compare the experiments that `run:` names, and others whose scores fit their current settings."""
    input:
        scored=plan.scored,
    output:
        leaderboard="results/{competition}/leaderboard.csv",
        history="results/{competition}/history.csv",
    log:
        "logs/{competition}/leaderboard.log",
    conda:
        "../envs/podium.yaml"
    resources:
        mem_mb=plan.memory("leaderboard"),
        runtime=plan.minutes("leaderboard"),
    params:
        settings=lambda w: plan.settings("leaderboard", w),
        code=lambda w: plan.code("leaderboard", w),
    script:
        "../scripts/leaderboard.py"


rule curves:
    """Draw the learning curves of one experiment's fits."""
    input:
        histories=plan.histories,
    output:
        curves="results/{competition}/{experiment}/curves.png",
    log:
        "logs/{competition}/{experiment}/curves.log",
    conda:
        "../envs/podium.yaml"
    resources:
        mem_mb=plan.memory("curves"),
        runtime=plan.minutes("curves"),
    params:
        settings=lambda w: plan.settings("curves", w),
        code=plan.code("curves"),
    script:
        "../scripts/curves.py"


rule panels:
    """Draw what an experiment answers for each pixel of some photos, beside the truth."""
    input:
        digests("results/{competition}/{experiment}/predictions.npy", plan.judging, "data/{competition}/index.csv"),
        predictions=ancient("results/{competition}/{experiment}/predictions.npy"),
        decision="results/{competition}/{experiment}/decision.json",
        parts=ancient(plan.judging),
        index=ancient("data/{competition}/index.csv"),
    output:
        panels="results/{competition}/{experiment}/panels.png",
    log:
        "logs/{competition}/{experiment}/panels.log",
    conda:
        "../envs/podium.yaml"
    resources:
        mem_mb=plan.memory("panels"),
        runtime=plan.minutes("panels"),
    params:
        settings=lambda w: plan.settings("panels", w),
        code=lambda w: plan.code("panels", w),
    script:
        "../scripts/panels.py"


rule export:
    """Convert one fit's model into forms that other programs load: weights, and a SavedModel to serve."""
    input:
        digests("results/{competition}/{experiment}/{fit}/model.keras"),
        model=ancient("results/{competition}/{experiment}/{fit}/model.keras"),
    output:
        weights="results/{competition}/{experiment}/{fit}/model.weights.h5",
        served=directory("results/{competition}/{experiment}/{fit}/served"),
    log:
        "logs/{competition}/{experiment}/export-{fit}.log",
    conda:
        "../envs/podium.yaml"
    resources:
        mem_mb=plan.memory("export"),
        runtime=plan.minutes("export"),
    params:
        settings=lambda w: plan.settings("export", w),
        code=lambda w: plan.code("export", w),
    script:
        "../scripts/export.py"


rule robustness:
    """Score one experiment on increasingly corrupted photos."""
    input:
        digests(plan.models, plan.judging, plan.features, "data/{competition}/index.csv", plan.folds),
        models=ancient(plan.models),
        parts=ancient(plan.judging),
        index=ancient("data/{competition}/index.csv"),
        folds=ancient(plan.folds),
        features=ancient(plan.features),
        calibration="results/{competition}/{experiment}/calibration.json",
        decision="results/{competition}/{experiment}/decision.json",
    output:
        robustness="results/{competition}/{experiment}/robustness.csv",
    log:
        "logs/{competition}/{experiment}/robustness.log",
    conda:
        "../envs/podium.yaml"
    threads: plan.gpu_cores(workflow.cores)
    resources:
        mem_mb=plan.memory("robustness"),
        runtime=plan.minutes("robustness"),
        gpu=1,
        gpu_memory=plan.gpu_memory,
    params:
        settings=lambda w: plan.settings("robustness", w),
        code=lambda w: plan.code("robustness", w),
    script:
        "../scripts/robustness.py"
