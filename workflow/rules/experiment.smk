# One experiment: a model for each fold, and predictions for every photo that its model has not seen.
#
#   pixels or embeddings, folds -> train -> predict -> pool


rule train:
    """Fit one network, leaving one fold out."""
    input:
        parts=lambda w: plan.photos("train", w),
        index="data/{competition}/index.csv",
        folds=plan.folds,
    output:
        model="results/{competition}/{experiment}/fold{fold}/model.keras",
        history="results/{competition}/{experiment}/fold{fold}/history.csv",
    log:
        "logs/{competition}/{experiment}/train-{fold}.log",
    conda:
        "../envs/podium.yaml"
    params:
        settings=lambda w: plan.settings("train", w),
        code=lambda w: plan.code("train", w),
    script:
        "../scripts/train.py"


rule predict:
    """Predict, with one fold's model, the photos that it has not seen."""
    input:
        model="results/{competition}/{experiment}/fold{fold}/model.keras",
        parts=lambda w: plan.photos("predict", w),
        index="data/{competition}/index.csv",
        folds=plan.folds,
    output:
        predictions="results/{competition}/{experiment}/fold{fold}/predictions.csv",
    log:
        "logs/{competition}/{experiment}/predict-{fold}.log",
    conda:
        "../envs/podium.yaml"
    params:
        settings=lambda w: plan.settings("predict", w),
        code=lambda w: plan.code("predict", w),
    script:
        "../scripts/predict.py"


rule pool:
    """Join the folds' predictions: out of fold side by side, the rest averaged."""
    input:
        folds=plan.fold_predictions,
        index="data/{competition}/index.csv",
        quarantine="data/{competition}/quarantine.csv",
    output:
        predictions="results/{competition}/{experiment}/predictions.csv",
    log:
        "logs/{competition}/{experiment}/pool.log",
    conda:
        "../envs/podium.yaml"
    params:
        code=plan.code("pool"),
    script:
        "../scripts/pool.py"
