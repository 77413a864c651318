# One experiment: a model for each fit, and predictions for the photos that its model has not seen. A fit is a seed and
# the fold that it leaves out, or `all`. An ensemble blends the predictions of experiments and is treated like one.
#
#   pixels or embeddings, folds -> train -> predict -> pool --> calibrate -> finish
#                                    members' predictions -> blend --^
#
# `finish` makes each fit's calibrated model.keras from its fitted.keras.


rule train:
    """Train one network, on all training photos or without one fold."""
    input:
        plan.weights,
        parts=lambda w: plan.photos("train", w),
        index="data/{competition}/index.csv",
        folds=plan.folds,
        teachers=plan.teachers,
        depth="data/{competition}/depth.json",
    output:
        model="results/{competition}/{experiment}/{fit}/fitted.keras",
        history="results/{competition}/{experiment}/{fit}/history.csv",
        events="results/{competition}/{experiment}/{fit}/events.out.tfevents.history",
    log:
        "logs/{competition}/{experiment}/train-{fit}.log",
    conda:
        "../envs/podium.yaml"
    threads: lambda w: plan.threads(w, workflow.cores)
    resources:
        gpu=lambda w: plan.gpus("train", w),
        gpu_memory=plan.gpu_memory,
    params:
        settings=lambda w: plan.settings("train", w),
        code=lambda w: plan.code("train", w),
    script:
        "../scripts/train.py"


rule predict:
    """Predict, with one fit's model, the photos that it has not seen."""
    input:
        model="results/{competition}/{experiment}/{fit}/fitted.keras",
        parts=lambda w: plan.photos("predict", w),
        index="data/{competition}/index.csv",
        folds=plan.folds,
    output:
        predictions="results/{competition}/{experiment}/{fit}/predictions.npy",
        one_view="results/{competition}/{experiment}/{fit}/one_view.npy",
    log:
        "logs/{competition}/{experiment}/predict-{fit}.log",
    conda:
        "../envs/podium.yaml"
    threads: lambda w: plan.threads(w, workflow.cores)
    resources:
        gpu=lambda w: plan.gpus("predict", w),
        gpu_memory=plan.gpu_memory,
    params:
        settings=lambda w: plan.settings("predict", w),
        code=lambda w: plan.code("predict", w),
    script:
        "../scripts/predict.py"


rule pool:
    """Combine the predictions of an experiment's fits: out of fold side by side, the rest averaged."""
    input:
        fits=plan.fits,
        index="data/{competition}/index.csv",
        quarantine="data/{competition}/quarantine.csv",
    output:
        pooled="results/{competition}/{experiment}/pooled.npy",
    log:
        "logs/{competition}/{experiment}/pool.log",
    wildcard_constraints:
        experiment=plan.experiments,
    conda:
        "../envs/podium.yaml"
    params:
        settings=lambda w: plan.settings("pool", w),
        code=lambda w: plan.code("pool", w),
    script:
        "../scripts/pool.py"


rule blend:
    """Blend the predictions of several experiments."""
    input:
        members=plan.members,
        index="data/{competition}/index.csv",
    output:
        pooled="results/{competition}/{experiment}/pooled.npy",
        weights="results/{competition}/{experiment}/weights.csv",
    log:
        "logs/{competition}/{experiment}/blend.log",
    wildcard_constraints:
        experiment=plan.ensembles,
    conda:
        "../envs/podium.yaml"
    params:
        settings=lambda w: plan.settings("blend", w),
        code=lambda w: plan.code("blend", w),
    script:
        "../scripts/blend.py"


rule calibrate:
    """Calibrate the probabilities by temperature scaling."""
    input:
        pooled="results/{competition}/{experiment}/pooled.npy",
        fits=plan.fits,
        one_view=plan.one_view,
        index="data/{competition}/index.csv",
    output:
        predictions="results/{competition}/{experiment}/predictions.npy",
        table="results/{competition}/{experiment}/predictions.csv",
        calibration="results/{competition}/{experiment}/calibration.json",
    log:
        "logs/{competition}/{experiment}/calibrate.log",
    conda:
        "../envs/podium.yaml"
    params:
        settings=lambda w: plan.settings("calibrate", w),
        code=lambda w: plan.code("calibrate", w),
    script:
        "../scripts/calibrate.py"


rule finish:
    """Add the calibration to one fit's model."""
    input:
        fitted="results/{competition}/{experiment}/{fit}/fitted.keras",
        calibration="results/{competition}/{experiment}/calibration.json",
    output:
        model="results/{competition}/{experiment}/{fit}/model.keras",
    log:
        "logs/{competition}/{experiment}/finish-{fit}.log",
    conda:
        "../envs/podium.yaml"
    params:
        code=plan.code("finish"),
    script:
        "../scripts/finish.py"
