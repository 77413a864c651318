"""Contests whose photos lie in archives inside the archive."""

from layouts import Members, contest, cycled, image, photos, rows, sevenzipped, tarred, zipped


@contest(
    unpack=["train.zip", "test.zip"],
    task="classification",
    classification={"unknown": "new_whale"},
    metric="map_at_5",
    tables={
        "train": image("train.csv", "train.zip/{Image}", "Image", label="Id"),
        "test": image("sample_submission.csv", "test.zip/{Image}", "Image"),
    },
    submission={"form": "top", "top": 5, "sample": "sample_submission.csv"},
)
def whales() -> Members:
    train, test = [f"a{n:03}.jpg" for n in range(40)], [f"b{n:03}.jpg" for n in range(10)]
    labels = cycled(["new_whale", "w_1287fbc", "w_98baff9", "new_whale", "w_7554f44", "w_1eafe46", "w_23a388d"], 40)
    return {
        "train.csv": rows("Image,Id", train, labels),
        "sample_submission.csv": rows("Image,Id", test, ["new_whale w_1287fbc w_98baff9 w_7554f44 w_1eafe46"] * 10),
        "train.zip": zipped(photos(train)),
        "test.zip": zipped(photos(test)),
    }


@contest(
    unpack=[
        "train-jpg.tar.7z",
        "train-jpg.tar.7z/train-jpg.tar",
        "test-jpg.tar.7z",
        "test-jpg.tar.7z/test-jpg.tar",
    ],
    task="multilabel",
    metric="samples_f2",
    tables={
        "train": image(
            "train_v2.csv", "train-jpg.tar.7z/train-jpg.tar/train-jpg/{image_name}.jpg", "image_name", label="tags"
        ),
        "test": image(
            "sample_submission_v2.csv", "test-jpg.tar.7z/test-jpg.tar/test-jpg/{image_name}.jpg", "image_name"
        ),
    },
    submission={"sample": "sample_submission_v2.csv"},
)
def forests() -> Members:
    train, test = [f"train_{n}" for n in range(40)], [f"test_{n}" for n in range(10)]
    tags = cycled(["haze primary", "agriculture clear primary water", "clear primary", "cloudy", "clear water"], 40)
    return {
        "train_v2.csv": rows("image_name,tags", train, tags),
        "sample_submission_v2.csv": rows("image_name,tags", test, ["primary clear agriculture road water"] * 10),
        "README.md": b"# Evaluation\n\nSubmissions are evaluated based on their mean F2 score.\n",
        "train-jpg.tar.7z": sevenzipped({"train-jpg.tar": tarred(photos(f"train-jpg/{name}.jpg" for name in train))}),
        "test-jpg.tar.7z": sevenzipped({"test-jpg.tar": tarred(photos(f"test-jpg/{name}.jpg" for name in test))}),
    }


@contest(
    unpack=["train.7z", "test.7z"],
    task="classification",
    classification={"positive": "1"},
    metric="roc_auc",
    tables={
        "train": image("train_labels.csv", "train.7z/train/{name}.jpg", "name", label="invasive"),
        "test": image("sample_submission.csv", "test.7z/test/{name}.jpg", "name"),
    },
    submission={"form": "probability", "sample": "sample_submission.csv"},
)
def invasive_species() -> Members:
    return {
        "train_labels.csv": rows("name,invasive", range(1, 31), cycled([0, 1, 1], 30)),
        "sample_submission.csv": rows("name,invasive", range(1, 31), [0.5] * 30),
        "train.7z": sevenzipped(photos(f"train/{n}.jpg" for n in range(1, 31))),
        "test.7z": sevenzipped(photos(f"test/{n}.jpg" for n in range(1, 31))),
    }


@contest(
    unpack=["train.7z", "test.7z"],
    task="classification",
    metric="accuracy",
    tables={
        "train": image("trainLabels.csv", "train.7z/train/{id}.png", "id", label="label"),
        "test": image("sampleSubmission.csv", "test.7z/test/{id}.png", "id"),
    },
    submission={"sample": "sampleSubmission.csv"},
)
def small_pictures() -> Members:
    classes = ["frog", "truck", "deer", "automobile", "bird", "horse", "ship", "cat", "dog", "airplane"]
    return {
        "trainLabels.csv": rows("id,label", range(1, 51), cycled(classes, 50)),
        "sampleSubmission.csv": rows("id,label", range(1, 81), ["cat"] * 80),
        "train.7z": sevenzipped(photos(f"train/{n}.png" for n in range(1, 51))),
        "test.7z": sevenzipped(photos(f"test/{n}.png" for n in range(1, 81))),
    }


@contest(
    unpack=["trainLabels.csv.zip", "sampleSubmission.csv.zip", "train.zip", "test.zip"],
    task="ordinal",
    metric="quadratic_kappa",
    tables={
        "train": image("trainLabels.csv.zip/trainLabels.csv", "train.zip/train/{image}.jpeg", "image", label="level"),
        "test": image("sampleSubmission.csv.zip/sampleSubmission.csv", "test.zip/test/{image}.jpeg", "image"),
    },
    submission={"sample": "sampleSubmission.csv.zip/sampleSubmission.csv"},
)
def eyes() -> Members:
    train = [f"{n}_{side}" for n in range(10, 35) for side in ("left", "right")]
    test = [f"{n}_{side}" for n in range(1, 8) for side in ("left", "right")]
    return {
        "trainLabels.csv.zip": zipped(
            {"trainLabels.csv": rows("image,level", train, cycled([0, 0, 0, 1, 2, 3, 4], 50))}
        ),
        "sampleSubmission.csv.zip": zipped({"sampleSubmission.csv": rows("image,level", test, [0] * 14)}),
        "train.zip": zipped(photos(f"train/{name}.jpeg" for name in train)),
        "test.zip": zipped(photos(f"test/{name}.jpeg" for name in test)),
    }


@contest(
    unpack=["train.zip", "test1.zip"],
    task="classification",
    classification={"positive": "dog"},
    metric="roc_auc",
    names={"train": "train.zip/train/{label}.{number}.jpg", "test": "test1.zip/test1/{id}.jpg"},
    submission={"form": "probability", "sample": "sampleSubmission.csv"},
)
def cats_and_dogs() -> Members:
    return {
        "sampleSubmission.csv": rows("id,label", range(1, 9), [0] * 8),
        "train.zip": zipped(photos(f"train/{name}.{n}.jpg" for name in ("cat", "dog") for n in range(12))),
        "test1.zip": zipped(photos(f"test1/{n}.jpg" for n in range(1, 9))),
    }
