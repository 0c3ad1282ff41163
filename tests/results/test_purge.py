"""Videos whose consent was withdrawn leave no trace in an output."""

import io
from datetime import timedelta
from pathlib import Path

import pytest
from invented_rows import SCORED_AT, make_output, name_of, row, scoring
from rich.console import Console

from ah_ray import storage
from ah_ray.cohort import video_id_of
from ah_ray.errors import ConfigError, OutputBusy
from ah_ray.exit_status import ExitStatus
from ah_ray.output import rows_folder
from ah_ray.output.lease import Lease
from ah_ray.output.read import read_clips, read_verdicts
from ah_ray.output.row_files import commit_row
from ah_ray.output.runs import RunSummary, new_run_id, read_summary, run_ids, write_summary
from ah_ray.results.purge import REPORT_FILE, purge_videos
from ah_ray.results.status_view import print_purged

ANNA, BOB, CARL = "/cohort/anna-smith.mp4", "/cohort/bob.mp4", "/cohort/carl.mp4"


def make(out: str) -> None:
    make_output(out, {"ab12cd34ef56ab78": [0.9, 0.1]}, uri=ANNA)
    rows = [row("bob", [0.2], uri=BOB), row("carl", [0.3] * 3, uri=CARL)]
    before = SCORED_AT - timedelta(minutes=5)
    older = row("carl", [0.4], uri=CARL, etag="etag-0", scored_at=before)
    for made in (older, *rows):
        commit_row(out, made)  # two of carl: a run was killed before the older one went
    storage.write_whole(storage.join(rows_folder(out), ".tmp-1234"), b"half a row of anna")
    summary = RunSummary(
        run_id=new_run_id(),
        started_at="2026-01-02T00:00:00Z",
        ended_at="2026-01-02T00:10:00Z",
        exit_status=ExitStatus.COMPLETE,
        trouble=f"reading {ANNA} (ab12cd34ef56ab78) failed",
    )
    write_summary(out, summary)


@pytest.fixture(params=["local", "s3"])
def out(request, tmp_path) -> str:
    s3 = request.param == "s3"
    place = f"s3://{request.getfixturevalue('bucket')}/out" if s3 else str(tmp_path / "out")
    make(place)
    return place


@pytest.fixture
def manifest(tmp_path):
    def write(*lines: str) -> str:
        (tmp_path / "withdrawn.csv").write_text("\n".join(lines) + "\n")
        return str(tmp_path / "withdrawn.csv")

    return write


def everything(out: str) -> dict[str, bytes]:
    entries = [entry for page in storage.list_pages(out) for entry in page]
    return {entry.key: storage.read_bytes(entry.uri) for entry in entries}


def test_no_trace_is_left(out, manifest):
    purged = purge_videos(out, manifest("uri", ANNA, "/cohort/never-seen.mp4"))
    assert purged.video_ids == {"ab12cd34ef56ab78"}
    assert (purged.rows, purged.rows_left, purged.run_files) == (1, 2, 1)
    assert purged.unknown == ["/cohort/never-seen.mp4"]
    for name, content in everything(out).items():
        for secret in (b"anna", b"ab12cd34ef56ab78"):
            assert secret not in content and secret.decode() not in name
    assert read_verdicts(out)["video_id"].to_pylist() == ["bob", "carl"]
    assert read_clips(out)["video_id"].to_pylist() == ["bob", "carl", "carl", "carl"]
    (run_id,) = run_ids(out)
    assert read_summary(out, run_id).trouble == "reading … (…) failed"


def test_all_rows_of_a_video_go(out, manifest):
    purged = purge_videos(out, manifest("uri,video_id", f"{CARL},carl"))
    assert purged.rows == 2
    assert not any("carl" in name for name in everything(out))


def test_ids_that_hide_names_need_the_key(tmp_path, manifest):
    out, key = str(tmp_path / "out"), b"sixteen or more bytes"
    video_id = video_id_of("anna.mp4", id_key=key)
    make_output(out, {video_id: [0.9]}, hide_uris=True)
    assert purge_videos(out, manifest("uri", "anna.mp4")).video_ids == set()
    assert purge_videos(out, manifest("uri", "anna.mp4"), id_key=key).video_ids == {video_id}
    assert read_verdicts(out).num_rows == 0


def test_not_while_a_run_goes_on(tmp_path, manifest):
    out = str(tmp_path / "out")
    make(out)
    before = everything(out)
    with Lease.acquire(out, "run-1", stale_s=2) as lease, pytest.raises(OutputBusy, match="run-1"):
        purge_videos(out, manifest("uri", ANNA))
    lease.release()
    assert everything(out).keys() >= before.keys() - {"lease.json"}


def test_what_is_wrong_is_said_before_anything_goes(tmp_path, manifest):
    out = str(tmp_path / "out")
    with pytest.raises(ConfigError, match="is no output"):
        purge_videos(out, manifest("uri", ANNA))
    make(out)
    with pytest.raises(ConfigError, match=r"--purge .*/gone.csv: .*No such file"):
        purge_videos(out, str(tmp_path / "gone.csv"))
    with pytest.raises(ConfigError, match="no column `uri`"):
        purge_videos(out, manifest("name", ANNA))
    assert name_of(row("bob", [0.2], by=scoring())) in {Path(n).name for n in everything(out)}


def test_it_says_what_is_left_to_do(tmp_path, manifest):
    out = str(tmp_path / "out")
    make(out)
    console = Console(file=io.StringIO(), width=200)
    print_purged(console, out, purge_videos(out, manifest("uri", ANNA, BOB, "/x.mp4")))
    said = console.file.getvalue()
    assert "Purged    2 of the 3 videos named" in said
    assert "No trace  of 1: /x.mp4" in said
    assert "take the recordings out of the cohort" in said


def test_a_page_of_all_videos_goes_too_and_that_is_said(out, manifest):
    page = storage.join(out, REPORT_FILE)
    storage.write_whole(page, b"<h1>anna</h1>")
    assert not purge_videos(out, manifest("uri", "/cohort/nobody.mp4")).report
    assert storage.exists(page)  # nothing was removed, so nothing of it is out of date
    purged = purge_videos(out, manifest("uri", ANNA))
    assert purged.report
    assert not storage.exists(page)
    said = io.StringIO()
    print_purged(Console(file=said), out, purged)
    assert "report.html removed" in said.getvalue()
