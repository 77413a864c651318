"""Against a client that keeps what it was called with and says what Kaggle's says."""

import csv
import hashlib
import re
from pathlib import Path

import pytest
from conftest import Kaggle

from podium.step import BadInput
from upload import upload

BYTES = b"file,label\n1.jpg,cat\n"
MESSAGE = f"podium linear {hashlib.sha256(BYTES).hexdigest()[:16]}"
LIST = ["competitions", "submissions", "-c", "pets", "-v", "--page-size", "200"]


@pytest.fixture
def client(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Kaggle:
    """A client with a token; instead of waiting for the score, the first pause gives it."""
    fake = Kaggle(tmp_path / "bin")
    monkeypatch.setenv("PATH", str(fake.folder), prepend=":")
    monkeypatch.setattr("time.sleep", lambda _: fake.score())
    return fake


def uploaded(folder: Path, content: bytes = BYTES, experiment: str = "linear") -> list[dict[str, str]]:
    """What is recorded after these bytes were sent, or not."""
    (folder / "submission.csv").write_bytes(content)
    upload(folder / "submission.csv", folder / "sent.csv", competition="pets", experiment=experiment)
    with (folder / "sent.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_submission_is_sent_with_its_digest_and_its_score_is_recorded(tmp_path: Path, client: Kaggle) -> None:
    (row,) = uploaded(tmp_path)
    assert (row["fileName"], row["description"]) == ("submission.csv", MESSAGE)
    assert (row["status"], row["publicScore"]) == ("SubmissionStatus.COMPLETE", "0.875")
    assert (client.folder / "sent.bytes").read_bytes() == BYTES
    submit = ["competitions", "submit", "-c", "pets", "-f", str(tmp_path / "submission.csv"), "-m", MESSAGE]
    assert client.calls() == [LIST, submit, LIST, LIST]


def test_the_same_bytes_are_not_sent_twice_and_others_are(tmp_path: Path, client: Kaggle) -> None:
    before = uploaded(tmp_path)
    assert uploaded(tmp_path) == before
    assert [call[1] for call in client.calls()].count("submit") == 1
    # Nor under another name: Kaggle's daily number is small.
    assert [row["description"] for row in uploaded(tmp_path, experiment="copy")] == [MESSAGE]
    assert [call[1] for call in client.calls()].count("submit") == 1
    assert [row["description"] == MESSAGE for row in uploaded(tmp_path, b"other")] == [False, True]
    assert [call[1] for call in client.calls()].count("submit") == 2


def test_what_was_sent_otherwise_is_not_ours(tmp_path: Path, client: Kaggle) -> None:
    client.score(
        ["7", "a.csv", "2026", 'by hand,\nwith "care"', "SubmissionStatus.COMPLETE", "0.5", "0.5"],
        ["6", "a.csv", "2026", "podium linear2 0123456789abcdef", "SubmissionStatus.COMPLETE", "0.5", "0.5"],
    )
    assert [row["description"] for row in uploaded(tmp_path)] == [MESSAGE]


def test_a_score_that_does_not_come_is_asked_for_again_later(
    tmp_path: Path, client: Kaggle, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda _: None)
    assert [row["status"] for row in uploaded(tmp_path)] == ["SubmissionStatus.PENDING"]
    client.score()
    assert [row["publicScore"] for row in uploaded(tmp_path)] == ["0.875"]


def test_nothing_is_sent_where_the_answer_is_not_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kaggle").write_text(f"#!/bin/sh\necho $2 >> {tmp_path}/calls\necho Something else\n")
    (tmp_path / "kaggle").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(BadInput, match=re.escape("no table in the client's output: 'Something else'")):
        uploaded(tmp_path)
    assert (tmp_path / "calls").read_text() == "submissions\n"


def test_what_was_sent_and_is_not_listed_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "kaggle").write_text("#!/bin/sh\necho No submissions found\n")
    (tmp_path / "kaggle").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    monkeypatch.setattr("time.sleep", lambda _: None)
    with pytest.raises(BadInput, match=r"kaggle:pets: sent, but not listed; check https://.*/pets/submissions"):
        uploaded(tmp_path)
    assert not (tmp_path / "sent.csv").exists()


def test_without_a_token_nothing_is_recorded(tmp_path: Path, client: Kaggle) -> None:
    (client.folder / "token").unlink()
    with pytest.raises(BadInput, match="kaggle:pets: submissions: no token: make one at https://"):
        uploaded(tmp_path)
    assert not (tmp_path / "sent.csv").exists()
