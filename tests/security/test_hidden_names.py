"""With --hide-uris no name is in anything that a run writes or says, also where storage fails."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest
from outputs import run_score, verdicts

pytestmark = pytest.mark.heavy

NAMES = ("zephyrine", "quuxford", "bartholomea")
"""None of them is a word of any message."""


def test_no_artefact_holds_a_name(whole_cohort, bucket, proxy, s3_client, tmp_path):
    prefix = "zephyrine quuxford"
    good = (whole_cohort / "visit-01/answer 1.mp4").read_bytes()
    bodies = {
        "answer of bartholomea.mp4": good,
        "denied to bartholomea.mp4": good,
        "refused: bartholomea.mp4": good,
        "empty bartholomea.mp4": b"",
        "notes.bartholomea": b"x",
        "notes.txt": b"x",
    }
    for name, body in bodies.items():
        s3_client.put_object(Bucket=bucket, Key=f"{prefix}/{name}", Body=body)
    (tmp_path / "key").write_bytes(os.urandom(32))

    def rule(method: str, path: str, _count: int) -> int | None:
        if method != "GET" or "list-type" in path:
            return None
        return 403 if "denied" in path else 400 if "refused" in path else None

    proxy.rule = rule
    out = tmp_path / "out"
    with tempfile.TemporaryDirectory(prefix="r-") as session:  # a short path: it holds sockets
        job = run_score(
            "--videos", f"s3://{bucket}/{prefix}", "--out", out, "--model", "tiny", "--hide-uris",
            "--id-key", tmp_path / "key", "--max-failed", 1, RAY_TMPDIR=session,
        )  # fmt: skip
        said = job.stdout + job.stderr
        assert job.returncode == 3, said
        assert "1 without a row: reading …" in said
        kinds = sorted(str(row["error_kind"]) for row in verdicts(out).values())
        assert kinds == ["None", "denied", "unreadable"]
        for folder in (out, Path(session)):
            for path in filter(Path.is_file, folder.rglob("*")):
                content = path.read_bytes().lower()
                found = [name for name in NAMES if name.encode() in content]
                assert not found, f"{path} holds {found}"
    for name in NAMES:
        assert name not in said.lower(), said


def test_an_error_that_ends_the_job_holds_none(bucket, proxy, tmp_path):
    proxy.rule = lambda *_: 403
    (tmp_path / "key").write_bytes(os.urandom(32))
    job = run_score(
        "--videos", f"s3://{bucket}/zephyrine quuxford", "--out", tmp_path / "out", "--model",
        "tiny", "--hide-uris", "--id-key", tmp_path / "key",
    )  # fmt: skip
    assert job.returncode == 2
    assert job.stderr.startswith("error: ") and "give the job's role access" in job.stderr
    assert not [name for name in (*NAMES, bucket) if name in job.stderr], job.stderr
