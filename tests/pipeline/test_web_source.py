"""A cohort on a plain web server, scored by the whole job."""

from __future__ import annotations

import functools
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

from ah_ray import read_verdicts


def test_a_folder_that_a_web_server_lists(small_cohort, tmp_path, scored_without_model):
    """A second run finds all done; every run used to end with missing rows."""

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    handler = functools.partial(Quiet, directory=str(small_cohort))
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        address, out = f"http://127.0.0.1:{server.server_port}", tmp_path / "out"
        first = scored_without_model(address, out, max_failed=1)
        again = scored_without_model(address, out, max_failed=1)
    finally:
        server.shutdown()
        server.server_close()
    assert (first.summary.exit_status, again.summary.exit_status) == (0, 0)
    rows = {row["uri"]: row["status"] for row in read_verdicts(str(out)).to_pylist()}
    assert rows == {
        f"{address}/visit-01%20answer%201.mp4": "ok",
        f"{address}/visit-01%20answer%202.mp4": "ok",
        f"{address}/visit-02%20answer%201.mp4": "ok",
        f"{address}/empty.mp4": "failed",
    }
    assert (first.summary.videos_done, again.summary.videos_done) == (4, 0)
