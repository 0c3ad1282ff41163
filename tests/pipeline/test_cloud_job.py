"""The whole job from a bucket to an output in it: kill -9, two runs at once that resume, purge."""

from __future__ import annotations

import subprocess
import time

import pytest
from outputs import OF_THE_PLACE, OF_THE_RUN, row_files, run_score, score_job, verdicts
from store_servers import AT_SERVERS

from ah_ray import storage
from ah_ray.errors import ObjectMissing
from ah_ray.results.purge import purge_videos

pytestmark = [pytest.mark.servers, pytest.mark.timeout(600)]

N_VIDEOS = 6
BUSY = 4  # the exit status of a run whose output another run holds
JOB = ("--model", "tiny", "--decoders", 1)


def fill(bucket: str, whole_cohort) -> str:
    """The URI of a folder of recordings, one of them with a name that fsspec's drivers lose."""
    folder = storage.join(bucket, "recordings")
    good = [whole_cohort / f"visit-01/answer {n}.mp4" for n in (1, 2, 3)]
    for n in range(N_VIDEOS):
        name = f"visit//{n} 50%#.mp4" if n == 1 else f"visit/{n}.mp4"
        storage.write_file(storage.join(folder, name), good[n % 3])
    return folder


@pytest.fixture(scope="module")
def undisturbed(s3_client, whole_cohort) -> dict[str, dict]:
    """The verdicts of a run that nothing disturbed, over moto."""
    s3_client.create_bucket(Bucket="undisturbed")
    out = "s3://undisturbed/out"
    done = run_score("--videos", fill("s3://undisturbed", whole_cohort), "--out", out, *JOB)
    assert done.returncode == 0, done.stdout + done.stderr
    return verdicts(out, OF_THE_RUN | OF_THE_PLACE)


@pytest.mark.parametrize("store", AT_SERVERS)
def test_a_killed_run_and_two_at_once_after_it(
    store, make_bucket, undisturbed, whole_cohort, tmp_path
):
    bucket = make_bucket(store)
    out = storage.join(bucket, "out")
    arguments = ("--videos", fill(bucket, whole_cohort), "--out", out, *JOB)
    killed = _start(*arguments)
    try:
        _wait_for_row(killed, out)
    finally:
        killed.kill()
        killed.communicate()
    # An earlier kill leaves fewer rows, and rows come too fast here to be sure of the moment.
    storage.remove(storage.join(out, "videos", name) for name in sorted(row_files(out))[3:])
    before = row_files(out)

    both = [_start(*arguments) for _ in range(2)]
    texts = [run.communicate(timeout=400)[0] for run in both]
    statuses = sorted(run.returncode for run in both)
    # The second one finds the output busy, or, where it begins late, all done.
    assert statuses in ([0, BUSY], [0, 0]), texts
    assert all("holds " in text for text, run in zip(texts, both, strict=True) if run.returncode)
    after = row_files(out)
    assert before.items() <= after.items(), "a finished row was written again"
    assert len(after) == N_VIDEOS
    assert verdicts(out, OF_THE_RUN | OF_THE_PLACE) == undisturbed

    leaver = next(iter(verdicts(out, set()).values()))["uri"]
    manifest = tmp_path / "leavers.csv"
    manifest.write_text(f'uri\n"{leaver}"\n')
    assert purge_videos(out, str(manifest)).rows == 1
    assert len(row_files(out)) == N_VIDEOS - 1
    assert leaver not in {row["uri"] for row in verdicts(out, set()).values()}


def _start(*arguments: object) -> subprocess.Popen:
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.Popen(score_job(*arguments), **options)


def _wait_for_row(run: subprocess.Popen, out: str, limit_s: float = 200) -> None:
    until = time.monotonic() + limit_s
    while time.monotonic() < until:
        assert run.poll() is None, run.stdout.read()
        try:
            if row_files(out):
                return
        except ObjectMissing:
            pass
        time.sleep(0.1)
    raise TimeoutError(f"no row after {limit_s} s")
