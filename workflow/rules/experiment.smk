# One experiment: a model for each fit, and predictions for the photos that its model has not seen. A fit is a seed and
# the fold that it leaves out, or `all`. An ensemble blends the predictions of experiments and is treated like one.
#
#   pixels or embeddings, folds -> train -> predict -> pool --> calibrate -> decide -> finish
#                                    members' predictions -> blend --^
#
# `decide` says how answers are made of predictions; `finish` makes each fit's model.keras from its fitted.keras.


rule train:
    """Train one network, on all training photos or without one fold."""
    input:
        ancient(plan.weights),  # `state` is their content
        digests(
            lambda w: plan.photos("train", w),
            "data/{competition}/index.csv",
            plan.folds,
            plan.teachers,
            plan.features,
        ),
        parts=ancient(lambda w: plan.photos("train", w)),
        index=ancient("data/{competition}/index.csv"),
        folds=ancient(plan.folds),
        teachers=ancient(plan.teachers),
        features=ancient(plan.features),
        depth="data/{competition}/depth.json",
    output:
        digests("results/{competition}/{experiment}/{fit}/fitted.keras"),
        model="results/{competition}/{experiment}/{fit}/fitted.keras",
        history="results/{competition}/{experiment}/{fit}/history.csv",
        events="results/{competition}/{experiment}/{fit}/events.out.tfevents.history",
    log:
        "logs/{competition}/{experiment}/train-{fit}.log",
    conda:
        "../envs/podium.yaml"
    threads: lambda w: plan.threads(w, workflow.cores)
    resources:
        mem_mb=plan.memory("train"),
        runtime=plan.minutes("train"),
        gpu=lambda w: plan.gpus("train", w),
        gpu_memory=plan.gpu_memory,
    params:
        settings=lambda w: plan.settings("train", w),
        state=plan.weights_state,
        code=lambda w: plan.code("train", w),
    script:
        "../scripts/train.py"


rule predict:
    """Predict, with one fit's model, the photos that it has not seen."""
    input:
        digests(
            "results/{competition}/{experiment}/{fit}/fitted.keras",
            lambda w: plan.photos("predict", w),
            plan.features,
            "data/{competition}/index.csv",
            plan.folds,
        ),
        model=ancient("results/{competition}/{experiment}/{fit}/fitted.keras"),
        parts=ancient(lambda w: plan.photos("predict", w)),
        index=ancient("data/{competition}/index.csv"),
        folds=ancient(plan.folds),
        features=ancient(plan.features),
    output:
        digests(
            "results/{competition}/{experiment}/{fit}/predictions.npy",
            "results/{competition}/{experiment}/{fit}/one_view.npy",
        ),
        predictions="results/{competition}/{experiment}/{fit}/predictions.npy",
        one_view="results/{competition}/{experiment}/{fit}/one_view.npy",
    log:
        "logs/{competition}/{experiment}/predict-{fit}.log",
    conda:
        "../envs/podium.yaml"
    threads: lambda w: plan.threads(w, workflow.cores)
    resources:
        mem_mb=plan.memory("predict"),
        runtime=plan.minutes("predict"),
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
        digests(plan.fits, "data/{competition}/index.csv", "data/{competition}/quarantine.csv"),
        fits=ancient(plan.fits),
        index=ancient("data/{competition}/index.csv"),
        quarantine=ancient("data/{competition}/quarantine.csv"),
    output:
        digests("results/{competition}/{experiment}/pooled.npy"),
        pooled="results/{competition}/{experiment}/pooled.npy",
    log:
        "logs/{competition}/{experiment}/pool.log",
    wildcard_constraints:
        experiment=plan.experiments,
    conda:
        "../envs/podium.yaml"
    resources:
        mem_mb=plan.memory("pool"),
        runtime=plan.minutes("pool"),
    params:
        settings=lambda w: plan.settings("pool", w),
        code=lambda w: plan.code("pool", w),
    script:
        "../scripts/pool.py"


rule blend:
    """Blend the predictions of several experiments."""
    input:
        digests(plan.members, "data/{competition}/index.csv"),
        members=ancient(plan.members),
        index=ancient("data/{competition}/index.csv"),
    output:
        digests("results/{competition}/{experiment}/pooled.npy"),
        pooled="results/{competition}/{experiment}/pooled.npy",
        weights="results/{competition}/{experiment}/weights.csv",
    log:
        "logs/{competition}/{experiment}/blend.log",
    wildcard_constraints:
        experiment=plan.ensembles,
    conda:
        "../envs/podium.yaml"
    resources:
        mem_mb=plan.memory("blend"),
        runtime=plan.minutes("blend"),
    params:
        settings=lambda w: plan.settings("blend", w),
        code=lambda w: plan.code("blend", w),
    script:
        "../scripts/blend.py"


rule calibrate:
    """Calibrate the probabilities by temperature scaling."""
    input:
        digests(
            "results/{competition}/{experiment}/pooled.npy",
            plan.fits,
            plan.one_view,
            "data/{competition}/index.csv",
        ),
        pooled=ancient("results/{competition}/{experiment}/pooled.npy"),
        fits=ancient(plan.fits),
        one_view=ancient(plan.one_view),
        index=ancient("data/{competition}/index.csv"),
    output:
        digests("results/{competition}/{experiment}/predictions.npy"),
        predictions="results/{competition}/{experiment}/predictions.npy",
        calibration="results/{competition}/{experiment}/calibration.json",
    log:
        "logs/{competition}/{experiment}/calibrate.log",
    conda:
        "../envs/podium.yaml"
    resources:
        mem_mb=plan.memory("calibrate"),
        runtime=plan.minutes("calibrate"),
    params:
        settings=lambda w: plan.settings("calibrate", w),
        code=lambda w: plan.code("calibrate", w),
    script:
        "../scripts/calibrate.py"


rule decide:
    """Decide how answers are made of predictions: as the competition's metric rewards."""
    input:
        digests("results/{competition}/{experiment}/predictions.npy", "data/{competition}/index.csv"),
        predictions=ancient("results/{competition}/{experiment}/predictions.npy"),
        index=ancient("data/{competition}/index.csv"),
    output:
        decision="results/{competition}/{experiment}/decision.json",
        table="results/{competition}/{experiment}/predictions.csv",
    log:
        "logs/{competition}/{experiment}/decide.log",
    conda:
        "../envs/podium.yaml"
    resources:
        mem_mb=plan.memory("decide"),
        runtime=plan.minutes("decide"),
    params:
        settings=lambda w: plan.settings("decide", w),
        code=lambda w: plan.code("decide", w),
    script:
        "../scripts/decide.py"


rule finish:
    """Add calibration and decision to one fit's model."""
    input:
        digests("results/{competition}/{experiment}/{fit}/fitted.keras"),
        fitted=ancient("results/{competition}/{experiment}/{fit}/fitted.keras"),
        calibration="results/{competition}/{experiment}/calibration.json",
        decision="results/{competition}/{experiment}/decision.json",
    output:
        digests("results/{competition}/{experiment}/{fit}/model.keras"),
        model="results/{competition}/{experiment}/{fit}/model.keras",
    log:
        "logs/{competition}/{experiment}/finish-{fit}.log",
    conda:
        "../envs/podium.yaml"
    resources:
        mem_mb=plan.memory("finish"),
        runtime=plan.minutes("finish"),
    params:
        code=plan.code("finish"),
    script:
        "../scripts/finish.py"
