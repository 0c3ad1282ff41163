"""A night's outcome, posted to a URL over real HTTP."""

import json
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from ah_ray.errors import ConfigError
from ah_ray.nightly import webhook
from ah_ray.nightly.webhook import check_url, outcome_message, post
from ah_ray.output.runs import RunSummary

SUMMARY = RunSummary(
    run_id="20260102T220000.000Z-0badcafe",
    started_at="2026-01-02T22:00:00Z",
    ended_at="2026-01-02T22:42:10Z",
    exit_status=0,
    changes={"new": 12, "changed": 1, "removed": 0, "failed": 2},
    gpu_hours=1.4,
    cost_per_hour=4.0,
)


@pytest.fixture
def service(monkeypatch):
    """Takes posts; answers with the statuses that it is given, 200 after them."""
    monkeypatch.setattr(webhook, "_PAUSE_S", 0.01)
    taken, statuses = [], []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            taken.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(statuses.pop(0) if statuses else 200)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/hook/secret", taken, statuses
    server.shutdown()
    server.server_close()


def test_people_and_machines_read_the_same(service):
    url, taken, _ = service
    assert post(url, outcome_message("study", "study-20260102-1", 0, SUMMARY)) is None
    (message,) = taken
    assert message["text"] == (
        "study: complete. 12 new, 1 changed, 0 removed, 2 failed; 42:10, 1.40 GPU hours, cost 2.81."
    )
    assert message["changes"]["new"] == 12
    assert message["summary"]["rates"]["cost"] == pytest.approx(2.811, abs=1e-3)
    assert (message["attempt"], message["exit_status"]) == ("study-20260102-1", 0)


def test_a_service_that_is_away_for_a_moment(service):
    url, taken, statuses = service
    statuses += [503, 500]
    assert post(url, outcome_message("study", "x", 0, SUMMARY)) is None
    assert len(taken) == 3


def test_one_that_does_not_take_it_costs_the_night_nothing(service):
    url, _, statuses = service
    statuses += [404] * 3
    assert post(url, {}) == "--notify: the message was not taken (status 404, 3 times)"
    problem = post("http://127.0.0.1:9/hook/secret", {})
    assert "ConnectionError" in problem and "secret" not in problem


def test_a_run_that_told_nothing():
    message = outcome_message("study", "study-20260102-1", 3, None)
    assert message["text"].startswith("study: rows are missing. No run has left a summary")
    assert message["summary"] is None


def test_no_url():
    for url in ("ftp://host/secret", "host/secret", "file:///etc/secret"):
        with pytest.raises(ConfigError, match="begins with https") as refused:
            check_url(url)
        assert "secret" not in str(refused.value)
