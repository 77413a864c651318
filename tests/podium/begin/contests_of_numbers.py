"""Contests of several labels, of grades and of numbers."""

from layouts import Members, contest, cycled, image, photos, rows


@contest(
    task="multilabel",
    metric="samples_f1",
    tables={
        "train": image("train.csv", "train_images/{image}", "image", label="labels"),
        "test": image("sample_submission.csv", "test_images/{image}", "image"),
    },
    submission={"sample": "sample_submission.csv"},
)
def leaves_with_several_diseases() -> Members:
    train, test = [f"80{n:02}fe.jpg" for n in range(48)], [f"85{n:02}fe.jpg" for n in range(3)]
    alone = ["healthy", "scab", "frog_eye_leaf_spot", "rust", "complex", "powdery_mildew"]
    both = ["scab frog_eye_leaf_spot", "scab frog_eye_leaf_spot complex", "frog_eye_leaf_spot complex"]
    labels = cycled([*alone, *both, "rust frog_eye_leaf_spot", "rust complex", "powdery_mildew complex"], 48)
    return {
        "train.csv": rows("image,labels", train, labels),
        "sample_submission.csv": rows("image,labels", test, ["healthy"] * 3),
        **photos(f"train_images/{name}" for name in train),
        **photos(f"test_images/{name}" for name in test),
    }


@contest(
    task="regression",
    metric="rmse",
    tables={
        "train": image(
            "training_solutions_rev1.csv",
            "images_training_rev1/{GalaxyID}.jpg",
            "GalaxyID",
            label=["Class1.1", "Class1.2", "Class1.3", "Class2.1"],
        ),
        "test": image("all_zeros_benchmark.csv", "images_test_rev1/{GalaxyID}.jpg", "GalaxyID"),
    },
    submission={"sample": "all_zeros_benchmark.csv"},
)
def galaxies() -> Members:
    train, test = range(100008, 100038), range(100018 + 900, 100018 + 910)
    header = "GalaxyID,Class1.1,Class1.2,Class1.3,Class2.1"
    numbers = [[round((n * k * 37 % 101) / 101, 6) for n in range(30)] for k in (1, 2, 3, 5)]
    return {
        "training_solutions_rev1.csv": rows(header, train, *numbers),
        "all_zeros_benchmark.csv": rows(header, test, *([0] * 10,) * 4),
        **photos(f"images_training_rev1/{n}.jpg" for n in train),
        **photos(f"images_test_rev1/{n}.jpg" for n in test),
    }


@contest(
    task="ordinal",
    metric="quadratic_kappa",
    tables={
        "train": image("train/train.csv", "train_images/{PetID}-*.jpg", "PetID", label="AdoptionSpeed"),
        "test": image("test/test.csv", "test_images/{PetID}-*.jpg", "PetID"),
        "features": ["Age", "Fee"],
    },
    submission={"sample": "test/sample_submission.csv"},
)
def pets_with_several_photos() -> Members:
    train, test = [f"86e1089a{n}" for n in range(40)], [f"378fcc4fc{n}" for n in range(8)]
    return {
        "train/train.csv": rows(
            "Age,Fee,PetID,AdoptionSpeed", cycled([3, 1, 24], 40), cycled([0, 100], 40), train, cycled(range(5), 40)
        ),
        "test/test.csv": rows("Age,Fee,PetID", cycled([3, 1], 8), cycled([0, 50], 8), test),
        "test/sample_submission.csv": rows("PetID,AdoptionSpeed", test, [0] * 8),
        **photos(f"train_images/{each}-{n}.jpg" for each in train for n in (1, 2)),
        **photos(f"test_images/{each}-{n}.jpg" for each in test for n in (1, 2)),
    }


@contest(
    task="multilabel",
    metric="samples_f1",
    tables={
        "train": image("train.csv", "train/{image_id}.jpg", "image_id", label="label"),
        "test": image("sample_submission.csv", "test/{image_id}.jpg", "image_id"),
    },
    submission={"sample": "sample_submission.csv"},
)
def several_rows_of_each_photo() -> Members:
    train, test = [f"a{n}" for n in range(20) for _ in range(3)], [f"b{n}" for n in range(5)]
    return {
        "train.csv": rows("image_id,label", train, cycled(["cup", "fork", "cup", "plate", "knife"], 60)),
        "sample_submission.csv": rows("image_id,label", test, ["cup fork"] * 5),
        **photos(f"train/a{n}.jpg" for n in range(20)),
        **photos(f"test/{each}.jpg" for each in test),
    }


@contest(
    task="multilabel",
    metric="macro_f1",
    tables={
        "train": image("train.csv", "train/{Id}_*.png", "Id", label="Target"),
        "test": image("sample_submission.csv", "test/{Id}_*.png", "Id"),
    },
    submission={"sample": "sample_submission.csv"},
)
def proteins_in_four_colours() -> Members:
    train, test = [f"00070df0-bbc3-{n:02}" for n in range(30)], [f"00008af0-bad0-{n:02}" for n in range(6)]
    return {
        "evaluation.md": b"Submissions will be evaluated based on their macro F1 score.",
        "train.csv": rows("Id,Target", train, cycled(["16 0", "7 1 2 0", "5", "16", "25", "0", "25 2", "2 7"], 30)),
        "sample_submission.csv": rows("Id,Predicted", test, [0] * 6),
        **photos(f"train/{each}_{colour}.png" for each in train for colour in ("red", "green", "blue", "yellow")),
        **photos(f"test/{each}_{colour}.png" for each in test for colour in ("red", "green", "blue", "yellow")),
    }


@contest(
    task="ordinal",
    metric="quadratic_kappa",
    tables={
        "train": image("train.csv", "train_images/{image_id}.tiff", "image_id", label="isup_grade"),
        "test": image("test.csv", "test_images/{image_id}.tiff", "image_id"),
    },
    submission={"sample": "sample_submission.csv"},
)
def biopsies() -> Members:
    train, test = [f"0005f7aa{n:02}" for n in range(36)], [f"00928370{n:02}" for n in range(6)]
    makers = ["karolinska", "radboud"]
    gleason = cycled(["0+0", "4+4", "3+3", "3+4", "4+3", "5+5"], 36)
    return {
        "train.csv": rows(
            "image_id,data_provider,isup_grade,gleason_score",
            train,
            cycled(makers, 36),
            cycled([0, 4, 1, 2, 3, 5], 36),
            gleason,
        ),
        "test.csv": rows("image_id,data_provider", test, cycled(makers, 6)),
        "sample_submission.csv": rows("image_id,isup_grade", test, [0] * 6),
        **photos(f"train_images/{each}.tiff" for each in train),
        **photos(f"test_images/{each}.tiff" for each in test),
    }


@contest(
    task="regression",
    metric="mae",
    tables={
        "train": image("train.csv", "faces/{file}", "file", label="age"),
        "test": image("sample_submission.csv", "faces/{file}", "file"),
    },
    submission={"sample": "sample_submission.csv"},
)
def ages() -> Members:
    train, test = [f"{n}.png" for n in range(60)], [f"{n}.png" for n in range(60, 80)]
    return {
        "train.csv": rows("file,age", train, [n * 17 % 60 + 18 for n in range(60)]),
        "sample_submission.csv": rows("file,age", test, [30] * 20),
        "overview.html": b"<h2>Evaluation</h2><p>We use the <b>mean absolute error</b> (MAE).</p>",
        **photos(f"faces/{each}" for each in [*train, *test]),
    }


@contest(
    task="multilabel",
    multilabel={"separator": "|"},
    metric="macro_auc",
    tables={
        "train": image(
            "train.csv", "images_*/images/{Image Index}", "Image Index", label="Finding Labels", group="Patient ID"
        ),
        "test": image("sample_submission.csv", "images_*/images/{Image Index}", "Image Index"),
    },
    submission={"form": "probabilities", "sample": "sample_submission.csv"},
)
def folders_of_several_parts() -> Members:
    train, test = [f"{n // 3:08}_{n % 3:03}.png" for n in range(45)], [f"{n:08}_000.png" for n in range(90, 99)]
    found = ["Cardiomegaly", "Cardiomegaly|Effusion", "No Finding", "Effusion", "Hernia|Effusion", "Hernia"]
    names = ["Cardiomegaly", "Effusion", "Hernia"]
    return {
        "train.csv": rows(
            "Image Index,Finding Labels,Patient ID", train, cycled(found, 45), [n // 3 + 1 for n in range(45)]
        ),
        "sample_submission.csv": rows(f"Image Index,{','.join(names)}", test, *([0.5] * 9 for _ in names)),
        **photos(f"images_{n % 4:03}/images/{each}" for n, each in enumerate([*train, *test])),
    }


@contest(
    task="regression",
    metric="rmse",
    tables={
        "train": image("training_set_labels.csv", "train/{Image ID}.jpg", "Image ID", label="Wind Speed"),
        "test": image("test_set_features.csv", "test/{Image ID}.jpg", "Image ID"),
        "groups": {"path": "training_set_features.csv", "id": "Image ID", "group": "Storm ID"},
    },
    submission={"sample": "submission_format.csv"},
)
def storms_in_a_table_beside_the_labels() -> Members:
    train, test = [f"abs_{n:03}" for n in range(60)], [f"acd_{n:03}" for n in range(20)]
    header = "Image ID,Storm ID,Relative Time,Ocean"

    def part(ids: list[str]) -> bytes:
        count = len(ids)
        return rows(header, ids, [f"s{n // 4}" for n in range(count)], range(0, 60 * count, 60), cycled([1, 2], count))

    return {
        "training_set_features.csv": part(train),
        "training_set_labels.csv": rows("Image ID,Wind Speed", train, [20 + n % 45 for n in range(60)]),
        "test_set_features.csv": part(test),
        "submission_format.csv": rows("Image ID,Wind Speed", test, [0] * 20),
        **photos(f"train/{each}.jpg" for each in train),
        **photos(f"test/{each}.jpg" for each in test),
    }
