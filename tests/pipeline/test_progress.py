"""What a person sees while a run goes on."""

import io
import re
import time

from rich.console import Console

from ah_ray.pipeline.reporting import progress
from ah_ray.pipeline.reporting.progress import Progress, display, line
from ah_ray.pipeline.reporting.tally import Tally
from ah_ray.records import Committed


def half_done() -> Tally:
    tally = Tally(total=4, n_decoders=2, n_replicas=1, started_s=100.0, stage="scoring")
    tally.add_scores(20, score_s=5.0, decode_s=10.0)
    for video_id, status, kind in (("a", "ok", None), ("b", "failed", "decode")):
        tally.add_rows([
            Committed(video_id=video_id, status=status, error_kind=kind, n_clips=10, duration_s=50)
        ])  # fmt: skip
    return tally


def test_rates_by_hand():
    rates = half_done().rates(now_s=110.0)
    assert (rates.clips_per_s, rates.video_h_per_h, rates.eta_s) == (2.0, 10.0, 10.0)
    assert (rates.decoders_busy, rates.replicas_busy) == (0.5, 0.5)


def test_nothing_done_yet_divides_by_nothing():
    assert "ETA –" in line(Tally(total=3), now_s=0.0)
    assert "replicas 0%" in line(Tally(total=3, n_replicas=0), now_s=0.0)


def test_the_line_for_logs():
    assert line(half_done(), now_s=110.0) == (
        "[0:10] scoring: 2/4 videos (1 failed) · 20 clips, 2.0/s · 10.0 h of video per hour · "
        "decoders 50% busy, replicas 50% · ETA 0:10"
    )


def test_the_live_display_says_the_same():
    console = Console(file=io.StringIO(), width=100)
    console.print(display(half_done(), now_s=110.0))
    shown = console.file.getvalue()
    for part in ("2/4 videos", "1 failed", "2.0 clips/s", "2 decoders 50%", "ETA 0:10"):
        assert part in shown


def test_off_a_terminal_lines_come_by_the_clock(monkeypatch):
    monkeypatch.setattr(progress, "LINE_EVERY_S", 0.05)
    console = Console(file=io.StringIO(), width=100)
    scoring = re.compile(r"^\[\d+:\d\d\] scoring: 2/4", re.MULTILINE)
    until = time.monotonic() + 60
    with Progress(console, half_done()) as shown:
        shown.say("a word")
        while len(scoring.findall(console.file.getvalue())) < 2:
            assert time.monotonic() < until
            time.sleep(0.05)
    assert "a word" in console.file.getvalue().splitlines()
