"""What operators see: metrics on a node's port, the dashboard over them, lines for collectors."""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
import urllib.error
import urllib.request

import pytest
from outputs import ROOT, score_job
from ray_head import ray_head

from ah_ray.pipeline.reporting.metrics import COUNTERS, GAUGES

DASHBOARD = ROOT / "docs" / "grafana.json"
NAME = re.compile(r"\bray_\w+")


def exported_names() -> set[str]:
    """Ours, as Ray's exporter spells them."""
    return {f"ray_{name}_total" for name in COUNTERS} | {f"ray_{name}" for name in GAUGES}


def queries() -> list[str]:
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [target["expr"] for panel in panels for target in panel["targets"]]


def test_the_dashboard_shows_every_metric():
    assert exported_names() <= {name for query in queries() for name in NAME.findall(query)}


def test_the_dashboard_can_be_imported_anywhere():
    dashboard = json.loads(DASHBOARD.read_text())
    assert {panel["datasource"]["uid"] for panel in dashboard["panels"]} == {"${datasource}"}
    ids = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(ids)) == len(ids)
    assert all(panel["title"] and panel["targets"] for panel in dashboard["panels"])


@pytest.mark.heavy
@pytest.mark.long
def test_a_run_is_seen_by_prometheus_and_by_collectors(s3_server, whole_cohort, tmp_path):
    cohort = tmp_path / "jane-doe"
    cohort.mkdir()
    for n in range(200):
        (cohort / f"{n:03}.mp4").symlink_to(whole_cohort / f"visit-01/answer {n % 3 + 1}.mp4")
    (cohort / "000 broken.mp4").write_bytes(b"no recording")
    (tmp_path / "key").write_bytes(os.urandom(32))
    command = score_job(
        "--videos", cohort, "--out", tmp_path / "out", "--model", "tiny", "--log-json",
        "--hide-uris", "--id-key", tmp_path / "key",
    )  # fmt: skip
    with ray_head() as head:
        environment = os.environ | head.environment | {"SERVICE_PASSWORD": "hunter22"}
        run = subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        seen: dict[str, float] = {}
        while run.poll() is None:
            seen |= samples(scraped(head.metrics))
            time.sleep(1)
        output, errors = run.communicate()
        logs = head.folder / "session_latest" / "logs"
        of_workers = [line for path in logs.glob("worker-*.err") for line in events(path)]
    assert run.returncode == 0, errors
    ours = exported_names() - {"ray_ah_ray_gpu_seconds_total", "ray_ah_ray_storage_retries_total"}
    assert ours <= seen.keys(), "all but GPUs and retries, since there were none"
    assert 0 < seen["ray_ah_ray_clips_total"] <= 600
    assert seen["ray_ah_ray_videos_waiting"] < 201
    asked = {name for query in queries() for name in NAME.findall(query)}
    assert asked - exported_names() <= seen.keys(), (
        "the dashboard asks for what Ray does not export"
    )

    lines = [json.loads(line) for line in output.splitlines()]
    assert {line["event"] for line in lines} >= {"plan", "video", "summary"}
    videos = [line for line in lines if line["event"] == "video"]
    assert len(videos) == len({line["video_id"] for line in videos}) == 201
    (broken,) = [line for line in videos if line["status"] == "failed"]
    assert (broken["level"], broken["error_kind"]) == ("warning", "unreadable")
    everything = lines + of_workers
    assert {line["event"] for line in of_workers} >= {"decoded", "row"}
    assert len({line["run_id"] for line in everything}) == 1
    for secret in ("jane-doe", "hunter22", str(tmp_path)):
        assert not [line for line in everything if secret in json.dumps(line)]


def scraped(url: str) -> str:
    """As Prometheus does; nothing while the node's agent is not yet up."""
    try:
        with urllib.request.urlopen(url, timeout=10) as answer:
            return answer.read().decode()
    except urllib.error.URLError:
        return ""


def samples(text: str) -> dict[str, float]:
    """name → the highest value of its series."""
    found: dict[str, float] = {}
    for line in text.splitlines():
        if not line.startswith("#"):
            name = re.split(r"[{ ]", line, maxsplit=1)[0]
            found[name] = max(found.get(name, 0.0), float(line.rsplit(" ", 1)[1]))
    return found


def events(path) -> list[dict]:
    return [json.loads(line) for line in path.read_text().splitlines() if line.startswith("{")]
