"""Contests of one label a photo, in the tables that list the photos."""

import json

from layouts import Members, Settings, contest, cycled, image, photos, rows


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


@contest(
    task="classification",
    metric="log_loss",
    tables={
        "train": image("train_labels.csv", "train_features/{id}.jpg", "id", label=["bird", "blank", "hog", "leopard"]),
        "test": image("test_features.csv", "test_features/{id}.jpg", "id"),
        "groups": {"path": "train_features.csv", "id": "id", "group": "site"},
    },
    submission={"form": "probabilities", "sample": "submission_format.csv"},
)
def animals_in_labels_and_features_apart() -> Members:
    train, test = [f"ZJ{n:06}" for n in range(60)], [f"ZJ{n:06}" for n in range(16000, 16020)]
    ones = [[float(n % 4 == label) for n in range(60)] for label in range(4)]

    def part(name: str, ids: list[str]) -> bytes:
        paths = [f"{name}/{each}.jpg" for each in ids]
        return rows("id,filepath,site", ids, paths, [f"S{n % 14:04}" for n in range(len(ids))])

    return {
        "train_features.csv": part("train_features", train),
        "train_labels.csv": rows("id,bird,blank,hog,leopard", train, *ones),
        "test_features.csv": part("test_features", test),
        "submission_format.csv": rows("id,bird,blank,hog,leopard", test, *[[0.0] * 20] * 4),
        **photos(f"train_features/{each}.jpg" for each in train),
        **photos(f"test_features/{each}.jpg" for each in test),
    }
