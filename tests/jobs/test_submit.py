"""`ray job submit` of the README's command to a head that asks for a token, over a bucket."""

from __future__ import annotations

import os
import re
import subprocess
import urllib.error
import urllib.request

import pytest
from outputs import ROOT, row_files, verdicts
from ray_head import BIN, Head, ray_head

pytestmark = pytest.mark.heavy


@pytest.fixture(scope="module")
def head(s3_server):
    with ray_head() as running:
        yield running


@pytest.fixture(scope="module")
def cohort(s3_client, whole_cohort) -> str:
    s3_client.create_bucket(Bucket="study")
    for path in whole_cohort.rglob("*.*"):
        key = f"recordings/{path.relative_to(whole_cohort)}"
        s3_client.put_object(Bucket="study", Key=key, Body=path.read_bytes())
    return "s3://study/recordings"


def submit(head: Head, *arguments: object, **env: str | None) -> subprocess.CompletedProcess:
    """As the README says it; a null in `env` takes a variable away."""
    command = [BIN / "ray", "job", "submit", "--address", head.dashboard, "--working-dir", ROOT]
    environment = {**os.environ, **head.environment, **env}
    del environment["RAY_ADDRESS"]  # the client's is --address
    return subprocess.run(
        [str(part) for part in (*command, "--", "python", "jobs/score.py", *arguments)],
        env={name: value for name, value in environment.items() if value is not None},
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )


def test_a_night_over_a_bucket_and_a_second_one(head, cohort):
    settings = ("--videos", cohort, "--out", "s3://study/scores", "--model", "tiny")
    first = submit(head, *settings, "--max-failed", 1)
    assert first.returncode == 0, first.stdout + first.stderr
    assert re.search(r"Cohort +14 videos: 9 ok, 1 partial, 4 failed", first.stdout)
    before = row_files("s3://study/scores")
    assert len(verdicts("s3://study/scores")) == len(before) == 14

    second = submit(head, *settings, "--max-failed", 1)
    assert second.returncode == 0, second.stdout + second.stderr
    assert re.search(r"This run +nothing was pending", second.stdout)
    assert row_files("s3://study/scores") == before


def test_without_the_token_it_is_refused(head, cohort):
    settings = ("--videos", cohort, "--out", "s3://study/other", "--model", "tiny")
    for token in (None, "not-the-token-of-this-cluster-but-some-other-one"):
        refused = submit(head, *settings, RAY_AUTH_TOKEN=token, HOME="/nonexistent")
        assert refused.returncode != 0
        assert re.search(r"[Aa]uthenticat|token", refused.stdout + refused.stderr)


def test_an_output_within_rays_copy_of_the_working_directory_is_refused(head, cohort):
    """Ray deletes it. This is where Ray of the pinned version really puts that copy."""
    ended = submit(head, "--videos", cohort, "--out", "scores", "--model", "tiny")
    assert "error: --out scores: that is in the copy of the working directory" in ended.stdout
    assert "failed with exit code 2" in ended.stdout + ended.stderr


def test_the_endpoints_themselves_ask_for_the_token(head):
    for path in ("/api/jobs/", "/api/version"):
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(head.dashboard + path, timeout=10)
        assert refused.value.code in (401, 403)
