"""A cohort on a plain web server, scored by the whole job."""

from __future__ import annotations

from web_server import serve_folder

from ah_ray import read_verdicts


def test_a_folder_that_a_web_server_lists(small_cohort, tmp_path, scored_without_model):
    """A second run finds all done; every run used to end with missing rows."""
    out = tmp_path / "out"
    with serve_folder(small_cohort) as address:
        first = scored_without_model(address, out, max_failed=1)
        again = scored_without_model(address, out, max_failed=1)
    assert (first.summary.exit_status, again.summary.exit_status) == (0, 0)
    rows = {row["uri"]: row["status"] for row in read_verdicts(str(out)).to_pylist()}
    assert rows == {
        f"{address}/visit-01%20answer%201.mp4": "ok",
        f"{address}/visit-01%20answer%202.mp4": "ok",
        f"{address}/visit-02%20answer%201.mp4": "ok",
        f"{address}/empty.mp4": "failed",
    }
    assert (first.summary.videos_done, again.summary.videos_done) == (4, 0)
