import hashlib
from pathlib import Path

from podium.digests import digest, digests


def test_a_digest_is_what_sha256sum_says(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"abc")
    assert digest(tmp_path / "a") == hashlib.sha256(b"abc").hexdigest()


def test_a_folder_is_the_names_and_the_contents_of_its_files(tmp_path: Path) -> None:
    def of(files: dict[str, bytes]) -> str:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)
        return digest(folder)

    some = of({"a": b"1", "b/c": b"2"})
    assert of({"b/c": b"2", "a": b"1"}) == some
    others = [{"a": b"1"}, {"a": b"2", "b/c": b"1"}, {"a": b"1", "b/d": b"2"}, {"a": b"1", "c": b"2"}]
    assert len({some, *map(of, others)}) == 5


def test_a_link_to_nothing_in_a_folder_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/a").write_bytes(b"1")
    before = digest(tmp_path / "folder")
    (tmp_path / "folder/b").symlink_to("nowhere")
    assert digest(tmp_path / "folder") == before


def test_digest_files_stand_beside_paths_and_beside_what_functions_return() -> None:
    path, one, several = digests("data/{name}.npy", lambda w: f"{w}.csv", lambda w: [f"{w}-0", f"{w}-1"])
    assert path == "data/{name}.npy.sha256"
    assert callable(one)
    assert callable(several)
    assert (one("a"), several("a")) == (["a.csv.sha256"], ["a-0.sha256", "a-1.sha256"])
