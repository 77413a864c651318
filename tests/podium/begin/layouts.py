"""Small archives in the layouts of contests, made of one small photo, and what is right for each."""

import io
import json
import tarfile
import zipfile
from collections.abc import Callable, Iterable
from typing import Any

from conftest import photo, table

Members = dict[str, bytes]
Settings = dict[str, Any]
CONTESTS: dict[str, tuple[Callable[[], Members], Settings]] = {}


def contest(**right: Any) -> Callable[[Callable[[], Members]], Callable[[], Members]]:
    """Lists a function of this module as a contest whose file is to say this."""

    def listed(build: Callable[[], Members]) -> Callable[[], Members]:
        CONTESTS[build.__name__] = (build, right)
        return build

    return listed


def photos(names: Iterable[str]) -> Members:
    return dict.fromkeys(names, photo("chelsea", 0, 8))


def zipped(members: Members) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
    return out.getvalue()


def tarred(members: Members) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as file:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            file.addfile(info, io.BytesIO(content))
    return out.getvalue()


def sevenzipped(members: Members) -> bytes:
    import py7zr

    out = io.BytesIO()
    with py7zr.SevenZipFile(out, "w") as file:
        for name, content in members.items():
            file.writestr(content, name)
    return out.getvalue()


def rows(header: str, *columns: Iterable[object], mark: str = ",") -> bytes:
    """A table of these columns."""
    cells = zip(*(map(str, column) for column in columns), strict=True)
    return table(header.split(","), [list(row) for row in cells], mark)


def cycled(values: Iterable[object], count: int) -> list[object]:
    each = list(values)
    return [each[number % len(each)] for number in range(count)]


def image(path: str, template: str, id: str, **more: object) -> Settings:
    return {"path": path, "image": template, "id": id, **more}


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
    task="classification",
    metric="accuracy",
    tables={
        "train": image("train.csv", "train_images/{file_name}", "file_name", label="category_id", group="location"),
        "test": image("test.csv", "test_images/{file_name}", "id"),
    },
    submission={"sample": "sample_submission.csv"},
)
def camera_traps() -> Members:
    def part(start: int, count: int, labels: list[object] | None) -> bytes:
        ids = [f"5998cfa4-23d2-11e8-a6a3-{n:04}" for n in range(start, start + count)]
        columns = {
            "category_id": labels or [],
            "date_captured": cycled(["2011-05-13 23:43:18", "2012-03-17 03:48:44"], count),
            "file_name": [f"{each}.jpg" for each in ids],
            "frame_num": cycled([1, 2, 3], count),
            "id": ids,
            "location": cycled(range(start, start + 12), count),
            "rights_holder": ["Justin Brown"] * count,
            "seq_id": [f"6f084ccc-{(start + n) // 3}" for n in range(count)],
            "seq_num_frames": [3] * count,
            "width": [1024] * count,
            "height": cycled([747, 768], count),
        }
        kept = {name: cells for name, cells in columns.items() if cells}
        return rows(",".join(kept), *kept.values())

    ids = [f"5998cfa4-23d2-11e8-a6a3-{n:04}" for n in range(90)]
    return {
        "train.csv": part(0, 60, cycled([0, 0, 0, 1, 3, 4, 8, 10, 11, 13, 14, 16, 17, 18, 19, 22], 60)),
        "test.csv": part(60, 30, None),
        "sample_submission.csv": rows("Id,Category", ids[60:], [0] * 30),
        **photos(f"train_images/{each}.jpg" for each in ids[:60]),
        **photos(f"test_images/{each}.jpg" for each in ids[60:]),
    }


@contest(
    task="classification",
    metric="accuracy",
    tables={
        "train": image("nybg2020/train/metadata.json", "nybg2020/train/{file_name}", "file_name", label="category_id"),
        "test": image("nybg2020/test/metadata.json", "nybg2020/test/{file_name}", "id"),
    },
    submission={"sample": "sample_submission.csv"},
)
def herbarium() -> Members:
    train = [f"images/{n % 5:03}/{n % 7:02}/{n}.jpg" for n in range(60)]
    test = [f"images/000/{n}.jpg" for n in range(20)]

    def listed(names: list[str]) -> list[Settings]:
        return [
            {"file_name": name, "height": 1000, "id": int(name.split("/")[-1][:-4]), "license": 1, "width": 661}
            for name in names
        ]

    labels = cycled([0, 15504, 3, 77, 900], 60)
    said = {
        "annotations": [
            {"category_id": label, "id": 5 * n, "image_id": n, "region_id": n % 4} for n, label in enumerate(labels)
        ],
        "categories": [
            {"id": each, "name": f"Genus species{each}", "family": "F", "genus": "G"} for each in set(labels)
        ],
        "images": listed(train),
        "regions": [{"id": n, "name": f"Region {n}"} for n in range(4)],
        "info": {"year": 2020},
        "licenses": [{"id": 1, "name": "CC"}],
    }
    return {
        "nybg2020/train/metadata.json": json.dumps(said).encode(),
        "nybg2020/test/metadata.json": json.dumps({"images": listed(test), "info": {"year": 2020}}).encode(),
        "sample_submission.csv": rows("Id,Predicted", range(20), [0] * 20),
        **photos(f"nybg2020/train/{name}" for name in train),
        **photos(f"nybg2020/test/{name}" for name in test),
    }


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
    task="classification",
    classification={"positive": "1"},
    metric="roc_auc",
    tables={
        "train": image("train.csv", "jpeg/train/{image_name}.jpg", "image_name", label="target", group="patient_id"),
        "test": image("test.csv", "jpeg/test/{image_name}.jpg", "image_name"),
        "features": ["age_approx"],
    },
    submission={"form": "probability", "sample": "sample_submission.csv"},
)
def melanoma() -> Members:
    train, test = [f"ISIC_{n:07}" for n in range(60)], [f"ISIC_{n:07}" for n in range(60, 80)]

    def known(names: list[str], first: int) -> list[list[object]]:
        count = len(names)
        return [
            list(names),
            cycled([f"IP_{n}" for n in range(first, first + 15)], count),
            cycled(["male", "female"], count),
            cycled([45.0, "", 50.0, 70.0], count),
            cycled(["torso", "", "head/neck"], count),
        ]

    shared = "image_name,patient_id,sex,age_approx,anatom_site_general_challenge"
    target = cycled([0, 0, 0, 1, 0], 60)
    more = [cycled(["unknown", "nevus", "melanoma"], 60), ["malignant" if each else "benign" for each in target]]
    return {
        "train.csv": rows(f"{shared},diagnosis,benign_malignant,target", *known(train, 0), *more, target),
        "test.csv": rows(shared, *known(test, 15)),
        "sample_submission.csv": rows("image_name,target", test, [0] * 20),
        "tfrecords/train00-2071.tfrec": b"\0" * 64,
        **photos(f"jpeg/train/{name}.jpg" for name in train),
        **photos(f"jpeg/test/{name}.jpg" for name in test),
        **photos(f"train/{name}.dcm" for name in train),
        **photos(f"test/{name}.dcm" for name in test),
    }


@contest(
    task="classification",
    metric="log_loss",
    tables={
        "train": image(
            "driver_imgs_list.csv", "imgs/train/{classname}/{img}", "img", label="classname", group="subject"
        ),
        "test": image("sample_submission.csv", "imgs/test/{img}", "img"),
    },
    submission={"form": "probabilities", "sample": "sample_submission.csv"},
)
def drivers() -> Members:
    classes = [f"c{n}" for n in range(10)]
    train, labels, test = [f"img_{n}.jpg" for n in range(80)], cycled(classes, 80), [f"img_9{n}.jpg" for n in range(20)]
    subjects = [f"p{n // 7:03}" for n in range(80)]
    return {
        "driver_imgs_list.csv": rows("subject,classname,img", subjects, labels, train),
        "sample_submission.csv": rows(f"img,{','.join(classes)}", test, *([0.1] * 20 for _ in classes)),
        **photos(f"imgs/train/{label}/{name}" for label, name in zip(labels, train, strict=True)),
        **photos(f"imgs/test/{name}" for name in test),
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
    task="classification",
    classification={"positive": "1"},
    metric="roc_auc",
    tables={
        "train": image(
            "train.csv", "train_images/{patient_id}/{image_id}.png", "image_id", label="cancer", group="patient_id"
        ),
        "test": image("test.csv", "test_images/{patient_id}/{image_id}.png", "prediction_id"),
        "features": ["age", "implant"],
    },
    submission={"form": "probability", "sample": "sample_submission.csv"},
)
def breasts() -> Members:
    def shared(patients: range) -> dict[str, list[object]]:
        own = [(patient, side, view) for patient in patients for side in "LR" for view in ("CC", "MLO")]
        return {
            "site_id": cycled([1, 2], len(own)),
            "patient_id": [each[0] for each in own],
            "image_id": [1000 * each[0] + number for number, each in enumerate(own)],
            "laterality": [each[1] for each in own],
            "view": [each[2] for each in own],
            "age": [40.0 + each[0] % 30 for each in own],
            "implant": cycled([0, 0, 0, 1], len(own)),
            "machine_id": cycled([29, 48, 21], len(own)),
        }

    train, test = shared(range(10006, 10021)), shared(range(10100, 10105))
    count, cancer = len(train["age"]), [int(n // 2 % 7 == 0) for n in range(len(train["age"]))]
    more = {"cancer": cancer, "biopsy": cancer, "BIRADS": cycled(["", 0.0, 1.0], count)}
    keys = [f"{a}_{b}" for a, b in zip(test["patient_id"], test["laterality"], strict=True)]
    header = [*list(train)[:6], "cancer", "biopsy", "BIRADS", *list(train)[6:]]
    return {
        "train.csv": rows(",".join(header), *({**train, **more}[name] for name in header)),
        "test.csv": rows(",".join([*test, "prediction_id"]), *test.values(), keys),
        "sample_submission.csv": rows("prediction_id,cancer", dict.fromkeys(keys), [0.021168] * 10),
        **photos(f"train_images/{a}/{b}.png" for a, b in zip(train["patient_id"], train["image_id"], strict=True)),
        **photos(f"test_images/{a}/{b}.png" for a, b in zip(test["patient_id"], test["image_id"], strict=True)),
    }


@contest(
    task="classification",
    metric="accuracy",
    tables={
        "train": image("train.csv", "train/{id}/*.jpg", "id", label="kind"),
        "test": image("test.csv", "test/{id}/*.jpg", "id"),
    },
    submission={"sample": "sample_submission.csv"},
)
def a_folder_for_each_id() -> Members:
    train, test = [f"t{n}" for n in range(20)], [f"u{n}" for n in range(6)]
    return {
        "train.csv": rows("id,kind", train, cycled(["oak", "elm"], 20)),
        "test.csv": rows("id", test),
        "sample_submission.csv": rows("id,kind", test, ["oak"] * 6),
        **photos(f"train/{each}/{n}.jpg" for each in train for n in range(3)),
        **photos(f"test/{each}/{n}.jpg" for each in test for n in range(3)),
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
    task="classification",
    metric="accuracy",
    tables={
        "train": image("train.csv", "train/{file}", "file", label="kind"),
        "test": image("test.csv", "test/{file}", "file"),
        "groups": {"path": "visits.csv", "id": "photo", "group": "place"},
    },
    submission={"sample": "sample_submission.csv"},
)
def a_table_of_groups() -> Members:
    train, test = [f"a{n}.jpg" for n in range(40)], [f"b{n}.jpg" for n in range(8)]
    return {
        "train.csv": rows("file,kind", train, cycled(["fox", "hare", "owl"], 40)),
        "test.csv": rows("file", test),
        "visits.csv": rows("photo,place", [*train, *test], cycled([f"wood {n}" for n in range(12)], 48)),
        "sample_submission.csv": rows("file,kind", test, ["fox"] * 8),
        **photos(f"train/{each}" for each in train),
        **photos(f"test/{each}" for each in test),
    }


@contest(
    task="classification",
    metric="accuracy",
    tables={
        "train": image("train.csv", "pictures/{nr}.png", "nr", label="art"),
        "test": image("test.tsv", "pictures/{nr}.png", "nr"),
    },
    submission={"sample": "sample.tsv"},
)
def semicolons_tabs_and_leading_zeros() -> Members:
    train, test = [f"{n:05}" for n in range(30)], [f"{n:05}" for n in range(30, 40)]
    return {
        "train.csv": rows("nr,art", train, cycled(["Eiche, alt", "Ulme, jung"], 30), mark=";"),
        "test.tsv": rows("nr", test, mark="\t"),
        "sample.tsv": rows("nr,art", test, ["Eiche, alt"] * 10, mark="\t"),
        **photos(f"pictures/{each}.png" for each in [*train, *test]),
    }


@contest(
    task="classification",
    metric="log_loss",
    tables={
        "train": image("訓練.csv", "写真/訓練/{番号}.jpg", "番号", label="種類"),
        "test": image("sample_submission.csv", "写真/試験/{番号}.jpg", "番号"),
    },
    submission={"form": "probabilities", "sample": "sample_submission.csv"},
)
def chinese_names() -> Members:
    train, test = [f"猫{n}" for n in range(20)], [f"犬{n}" for n in range(5)]
    return {
        "訓練.csv": rows("番号,種類", train, cycled(["桜", "松"], 20)),
        "sample_submission.csv": rows("番号,松,桜", test, [0.5] * 5, [0.5] * 5),
        **photos(f"写真/訓練/{each}.jpg" for each in train),
        **photos(f"写真/試験/{each}.jpg" for each in test),
    }


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
    metric="macro_f1",
    tables={
        "train": image("train.csv", "images/{image}.jpg", "image", label="label"),
        "validation": image("val.csv", "images/{image}.jpg", "image", label="label"),
        "test": image("test.csv", "images/{image}.jpg", "image"),
    },
    submission={"sample": "sample_submission.csv"},
)
def a_validation_table() -> Members:
    train, val, test = ([f"{n:06x}" for n in range(start, start + 20)] for start in (0, 100, 200))
    kinds = cycled(["melon", "plum", "pear", "fig"], 20)
    return {
        "README.txt": b"The evaluation metric is the macro F1 score. (Accuracy is shown, too.)",
        "train.csv": rows("image,label", train, kinds),
        "val.csv": rows("image,label", val, kinds),
        "test.csv": rows("image", test),
        "sample_submission.csv": rows("image,label", test, ["fig"] * 20),
        **photos(f"images/{each}.jpg" for each in [*train, *val, *test]),
    }


@contest(
    task="classification",
    metric="log_loss",
    tables={
        "train": image("labels.csv", "train/{id}.jpg", "id", label="breed"),
        "test": image("sample_submission.csv", "test/{id}.jpg", "id"),
    },
    submission={"form": "probabilities", "sample": "sample_submission.csv"},
)
def columns_in_another_order() -> Members:
    breeds = ["whippet", "afghan hound", "flat-coated_retriever", "pug"]
    train, test = [f"{n:04x}a" for n in range(24)], [f"{n:04x}b" for n in range(6)]
    return {
        "labels.csv": rows("id,breed", train, cycled(sorted(breeds), 24)),
        "sample_submission.csv": rows(f"id,{','.join(breeds)}", test, *([0.25] * 6 for _ in breeds)),
        **photos(f"train/{each}.jpg" for each in train),
        **photos(f"test/{each}.jpg" for each in test),
    }


@contest(
    task="classification",
    metric="accuracy",
    tables={
        "train": image("train.csv", "train_images/{label}/{image_id}", "image_id", label="label"),
        "test": image("sample_submission.csv", "test_images/{image_id}", "image_id"),
    },
    submission={"sample": "sample_submission.csv"},
)
def a_sample_with_empty_cells() -> Members:
    train, test = [f"10{n:02}.jpg" for n in range(40)], [f"20{n:02}.jpg" for n in range(10)]
    labels = cycled(["blast", "brown_spot", "normal"], 40)
    age = cycled([45, 60, 72], 40)
    return {
        "train.csv": rows("image_id,label,variety,age", train, labels, cycled(["ADT45", "Ponni"], 40), age),
        "sample_submission.csv": rows("image_id,label", test, [""] * 10),
        **photos(f"train_images/{label}/{name}" for label, name in zip(labels, train, strict=True)),
        **photos(f"test_images/{name}" for name in test),
    }


@contest(
    task="classification",
    metric="map_at_5",
    tables={
        "train": image("train.csv", "train_images/{image}", "image", label="individual_id"),
        "test": image("sample_submission.csv", "test_images/{image}", "image"),
    },
    submission={"form": "top", "top": 5, "sample": "sample_submission.csv"},
)
def fins() -> Members:
    train, test = [f"0002{n:02}.jpg" for n in range(40)], [f"0001{n:02}.jpg" for n in range(10)]
    whales = [f"cadddb{n}" for n in range(12)]
    species = cycled(["melon_headed_whale", "humpback_whale", "minke_whale"], 40)
    return {
        "train.csv": rows("image,species,individual_id", train, species, cycled(whales, 40)),
        "sample_submission.csv": rows("image,predictions", test, [" ".join([*whales[:4], "new_individual"])] * 10),
        **photos(f"train_images/{name}" for name in train),
        **photos(f"test_images/{name}" for name in test),
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
    task="classification",
    metric="accuracy",
    tables={
        "train": image("train.csv", "train/*/*/*/{id}.jpg", "id", label="landmark_id"),
        "test": image("sample_submission.csv", "test/*/*/*/{id}.jpg", "id"),
    },
    submission={"sample": "sample_submission.csv"},
)
def folders_of_first_letters() -> Members:
    train, test = [f"{n * 7919 % 4096:03x}a9" for n in range(40)], [f"{n * 7907 % 4096:03x}b7" for n in range(10)]
    return {
        "train.csv": rows("id,landmark_id", train, cycled([142820, 104169, 37914, 102140, 2474], 40)),
        "sample_submission.csv": rows("id,landmark_id", test, [104169] * 10),
        **photos(f"train/{each[0]}/{each[1]}/{each[2]}/{each}.jpg" for each in train),
        **photos(f"test/{each[0]}/{each[1]}/{each[2]}/{each}.jpg" for each in test),
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
    task="classification",
    metric="micro_f1",
    tables={
        "train": image("train_cultivar_mapping.csv", "train_images/{image}", "image", label="cultivar"),
        "test": image("sample_submission.csv", "test/{filename}", "filename"),
    },
    submission={"sample": "sample_submission.csv"},
    index={"strict": False},
)
def a_sample_that_calls_the_id_otherwise() -> Members:
    train, test = [f"2017-06-{n:02}__12.png" for n in range(40)], [f"1{n:07}.png" for n in range(10)]
    return {
        "evaluation.txt": b"Evaluation\nThe metric is micro-averaged F1.\n",
        "train_cultivar_mapping.csv": rows(
            "image,cultivar", [".DS_Store", *train], cycled(["PI_257599", "PI_154987"], 41)
        ),
        "sample_submission.csv": rows("filename,cultivar", test, ["PI_257599"] * 10),
        **photos(f"train_images/{each}" for each in train),
        **photos(f"test/{each}" for each in test),
    }


@contest(
    task="classification",
    metric="balanced_accuracy",
    tables={
        "train": image("train.csv", "train_thumbnails/{image_id}_thumbnail.png", "image_id", label="label"),
        "test": image("test.csv", "test_thumbnails/{image_id}_thumbnail.png", "image_id"),
    },
    submission={"sample": "sample_submission.csv"},
)
def thumbnails() -> Members:
    train, test = [n * 37 + 4 for n in range(30)], [n * 41 + 90000 for n in range(5)]
    kinds = cycled(["HGSC", "LGSC", "EC", "CC", "MC"], 30)
    wide, high = cycled([23785, 48871], 30), cycled([20008, 48195], 30)
    return {
        "README.md": b"## Evaluation\nSubmissions are evaluated using balanced accuracy.",
        "train.csv": rows("image_id,label,image_width,image_height,is_tma", train, kinds, wide, high, ["False"] * 30),
        "test.csv": rows("image_id,image_width,image_height", test, [28469] * 5, [16987] * 5),
        "sample_submission.csv": rows("image_id,label", test, ["HGSC"] * 5),
        **photos(f"train_thumbnails/{each}_thumbnail.png" for each in train),
        **photos(f"test_thumbnails/{each}_thumbnail.png" for each in test),
    }


@contest(
    task="classification",
    metric="accuracy",
    tables={
        "train": image("train.csv", "train/img_{id}.jpg", "id", label="class"),
        "test": image("sample.csv", "test/img_{id}.jpg", "id"),
    },
    submission={"sample": "sample.csv"},
)
def numbers_behind_a_word() -> Members:
    return {
        "train.csv": rows("id,class", range(30), cycled(["rose", "lily", "iris"], 30)),
        "sample.csv": rows("id,class", range(30, 40), ["rose"] * 10),
        **photos(f"train/img_{n}.jpg" for n in range(30)),
        **photos(f"test/img_{n}.jpg" for n in range(30, 40)),
    }


@contest(
    task="classification",
    metric="accuracy",
    tables={
        "train": image("train/metadata.json", "train/{image_id}.jpg", "image_id", label="category_id"),
        "test": image("test/metadata.json", "test/{image_id}.jpg", "image_id"),
    },
    submission={"sample": "sample_submission.csv"},
)
def objects_that_go_by_image_id() -> Members:
    def listed(start: int, count: int) -> list[dict[str, object]]:
        return [{"image_id": f"{n:05}", "file_name": f"{n:05}.jpg", "license": 1} for n in range(start, start + count)]

    labels = cycled(range(0, 40, 5), 40)
    train = {
        "annotations": [{"image_id": f"{n:05}", "category_id": label} for n, label in enumerate(labels)],
        "categories": [{"category_id": n, "scientificName": f"Abies {n}"} for n in range(0, 40, 5)],
        "images": listed(0, 40),
    }
    return {
        "train/metadata.json": json.dumps(train).encode(),
        "test/metadata.json": json.dumps({"images": listed(40, 10)}).encode(),
        "sample_submission.csv": rows("Id,Predicted", [f"{n:05}" for n in range(40, 50)], [0] * 10),
        **photos(f"train/{n:05}.jpg" for n in range(40)),
        **photos(f"test/{n:05}.jpg" for n in range(40, 50)),
    }


@contest(
    task="classification",
    metric="accuracy",
    tables={
        "train": image("train.csv", "train_images/{image_id}", "image_id", label="label"),
        "test": image("sample_submission.csv", "test_images/{image_id}", "image_id"),
    },
    submission={"sample": "sample_submission.csv"},
)
def numbers_that_a_map_names() -> Members:
    train, test = [f"{n}.jpg" for n in range(1000, 1040)], [f"{n}.jpg" for n in range(2000, 2010)]
    return {
        "label_num_to_disease_map.json": json.dumps({str(n): f"disease {n}" for n in range(5)}).encode(),
        "train.csv": rows("image_id,label", train, cycled(range(5), 40)),
        "sample_submission.csv": rows("image_id,label", test, [4] * 10),
        **photos(f"train_images/{each}" for each in train),
        **photos(f"test_images/{each}" for each in test),
    }
