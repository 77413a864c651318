from pathlib import Path

import pytest
from conftest import Kaggle

from podium.archives import kaggle
from podium.step import BadInput


def test_the_client_is_called_with_what_its_manual_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Kaggle(tmp_path / "bin")
    monkeypatch.setenv("PATH", str(fake.folder), prepend=":")
    assert kaggle.call("pets", "submissions", "-v") == "No submissions found\n"
    assert fake.calls() == [["competitions", "submissions", "-c", "pets", "-v"]]


def test_without_a_client_one_line_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(tmp_path / "python"))
    with pytest.raises(BadInput) as refused:
        kaggle.call("pets", "submissions")
    assert str(refused.value).startswith(f"kaggle:pets: Kaggle's client is missing: run `{tmp_path}/python -m pip")
    assert "\n" not in str(refused.value)


def test_a_client_beside_our_python_is_found_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = Kaggle(tmp_path / "bin")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("sys.executable", str(fake.folder / "python"))
    assert kaggle.call("pets", "submissions") == "No submissions found\n"


@pytest.mark.parametrize(
    ("says", "message"),
    [
        ("echo 'Authentication required to call the Kaggle API.'; echo; exit 1", "pets: submit: no token: make one at"),
        ("echo '401 - Unauthorized' >&2; exit 1", "kaggle:pets: submit: no token: make one at https://www.kaggle.com/"),
        ("echo 'OSError: Could not find kaggle.json.' >&2; exit 1", "kaggle:pets: submit: no token: make one"),
        ("echo '403 Client Error: Forbidden for url' >&2; exit 1", "join the competition on its page and accept its"),
        ("echo '404 Client Error: Not Found for url' >&2; exit 1", "kaggle:pets: submit: no such competition"),
        ("echo 1 >&2; echo 'Failed to resolve api.kaggle.com' >&2; exit 1", "pets: submit: Failed to resolve api.kagg"),
        ("exit 3", "kaggle:pets: submit: exit status 3"),
    ],
)  # fmt: skip
def test_a_client_that_fails_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, says: str, message: str
) -> None:
    (tmp_path / "kaggle").write_text(f"#!/bin/sh\n{says}\n")
    (tmp_path / "kaggle").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(BadInput) as refused:
        kaggle.call("pets", "submit")
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
