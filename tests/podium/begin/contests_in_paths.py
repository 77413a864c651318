"""Contests whose paths say the labels."""

from layouts import Members, contest, cycled, photos, rows


@contest(
    task="classification",
    metric="balanced_accuracy",
    names={"train": "εκπαίδευση/{label}/{id}", "test": "test/{id}"},
    submission={"sample": "sample_submission.csv"},
)
def greek_folders() -> Members:
    train = [f"εκπαίδευση/{kind}/φωτο_{kind}_{n}.jpg" for kind in ("ελιά", "πεύκο", "δρυς") for n in range(8)]
    return {
        "description.md": "# Ελιές\n\nScores are by **balanced accuracy**.\n".encode(),
        "sample_submission.csv": rows("file,label", [f"{n}.jpg" for n in range(6)], ["ελιά"] * 6),
        **photos(train),
        **photos(f"test/{n}.jpg" for n in range(6)),
    }


@contest(
    task="classification",
    metric="accuracy",
    names={
        "train": "train/{label}/{id}",
        "validation": "val/{label}/{id}",
        "test": "test/{label}/{id}",
    },
)
def chests_in_three_parts() -> Members:
    parts = {"train": 12, "val": 4, "test": 6}
    return photos(
        f"chest_xray/{part}/{label}/{part}-{label}-{n}.jpeg"
        for part, count in parts.items()
        for label in ("NORMAL", "PNEUMONIA")
        for n in range(count)
    )


@contest(
    task="classification",
    metric="accuracy",
    names={"train": "Training/{label}/{file}", "test": "Test/{label}/{file}"},
)
def fruits_in_two_parts() -> Members:
    return photos(
        f"fruits/{part}/{label}/{n}_100.jpg"
        for part in ("Training", "Test")
        for label in ("Apple Braeburn", "Banana", "Cherry 1")
        for n in range(8)
    )


@contest(
    task="classification",
    metric="accuracy",
    names={"train": "{label}/{id}", "holdout": 0.2, "seed": 0},
)
def only_folders_of_classes() -> Members:
    return photos(
        f"flowers/{label}/{label}_{n}_m.jpg" for label in ("daisy", "rose", "tulip", "sunflower") for n in range(10)
    )


@contest(
    task="classification",
    metric="accuracy",
    names={"train": "train/{label}/{id}", "validation": "valid/{label}/{id}", "test": "test/{label}/{id}"},
)
def sports_in_one_table_of_all_parts() -> Members:
    parts, labels = ["train"] * 60 + ["valid"] * 9 + ["test"] * 21, cycled(["archery", "axe throwing", "bmx"], 90)
    paths = [f"{part}/{label}/{n:03}.jpg" for n, (part, label) in enumerate(zip(parts, labels, strict=True))]
    return {"sports.csv": rows("filepaths,labels,data set", paths, labels, parts), **photos(paths)}
