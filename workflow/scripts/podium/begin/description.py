"""The metric that a description names. No TensorFlow."""

import re

# What descriptions call a metric, and its name in each task; the more special ones first.
SAID: list[tuple[str, dict[str, str]]] = [
    (r"quadratic(ally)?[- ]weighted\s+(cohen'?s\s+)?kappa|weighted kappa", {"ordinal": "quadratic_kappa"}),
    (r"precision at different (intersection over union|iou)|iou\) thresholds", {"segmentation": "iou_precision"}),
    (r"mean intersection over union|mean iou|\bmiou\b", {"segmentation": "mean_iou"}),
    (r"intersection over union|jaccard|\biou\b", {"segmentation": "iou"}),
    (r"\bdice\b", {"segmentation": "mean_dice"}),
    (r"map@(\d+)|mean average precision (?:@|at) ?(\d+)", {"classification": "map_at_#", "multilabel": "map_at_#"}),
    (r"average precision", {"classification": "average_precision", "multilabel": "average_precision"}),
    (
        r"macro[- ]?(averaged )?f[-_ ]?1|f1[- ]macro|macro f-?score",
        {"classification": "macro_f1", "multilabel": "macro_f1", "ordinal": "macro_f1"},
    ),
    (r"micro[- ]?(averaged )?f[-_ ]?1|f1[- ]micro", {"classification": "micro_f1", "multilabel": "micro_f1"}),
    (r"\bf2\b|f_2|f-?2[- ]score", {"classification": "f2", "multilabel": "samples_f2"}),
    (r"mean f1|mean f-score|f1[- ]score|\bf1\b", {"classification": "f1", "multilabel": "samples_f1"}),
    (r"balanced accuracy", {"classification": "balanced_accuracy"}),
    (
        r"area under (the )?(roc|receiver|curve)|roc[- ]?auc|auc[- ]?roc|\bauc\b|under the roc",
        {"classification": "roc_auc", "multilabel": "macro_auc"},
    ),
    (r"log[- ]?loss|logarithmic loss|cross[- ]?entropy", {"classification": "log_loss", "multilabel": "log_loss"}),
    (r"root[- ]mean[- ]squared?[- ]error|\brmse\b|\bmcrmse\b", {"regression": "rmse", "ordinal": "rmse"}),
    (r"mean[- ]absolute[- ]error|\bmae\b", {"regression": "mae", "ordinal": "mae"}),
    (r"coefficient of determination|r\^?2 score|\br²", {"regression": "r2"}),
    (
        r"categori[sz]ation accuracy|(?<!balanced )\baccuracy\b|classification error",
        {"classification": "accuracy", "ordinal": "accuracy"},
    ),
]
EVALUATION = re.compile(r"(?im)^.*\b(evaluat|metric|scor)\w*.*(?:\n.+)*")


def metric(texts: dict[str, str], task: str) -> tuple[str, str] | None:
    """The metric that a text names for this task, and where it says so; the parts on evaluation are read first."""
    for name, text in texts.items():
        plain = re.sub(r"<[^>]+>", " ", text)
        for part in [" ".join(EVALUATION.findall(plain) and [m[0] for m in EVALUATION.finditer(plain)]), plain]:
            for pattern, names in SAID:
                if task in names and (found := re.search(pattern, part, re.IGNORECASE)):
                    number = next((each for each in found.groups() if each and each.isdigit()), "1")
                    line = " ".join(part[max(0, found.start() - 30) : found.end() + 30].split())
                    return names[task].replace("#", number), f"{name}: '… {line} …'"
    return None
