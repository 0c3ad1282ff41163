"""Runs over a cluster of several raylets, disturbed by real kills and stops that a seed chooses.

    python tests/faults/chaos.py --seeds 1-30 [--videos 40]

Each run meets 1 to 4 faults at moments that the seed chooses by the rows that are there: a kill
(SIGKILL) of a decoder, a replica, a reducer, a worker's raylet or the driver. From seed 31 on also:
a stop (SIGSTOP) of the driver or of an actor for longer than the stale time of the lease, where a
second run takes over from a stopped driver, and a driver whose clock is a day ahead. If the run
does not end well, the operator's restart follows: the same command, once. Then the tables must
equal those of an undisturbed run but for times, with no video lost and none twice. Prints a table;
exits with 1 if a run failed.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

import psutil
import ray
from machines import Machines
from outputs import clips, row_files, score_job, verdicts

from ah_ray.media.ffmpeg.demo_cohort import make_cohort

VICTIMS = ("decoder", "replica", "reducer", "raylet", "driver")
STOPPED = ("stopped decoder", "stopped replica", "stopped reducer", "stopped driver")
FIRST_WITH_STOPS = 31  # so that the seeds before choose what they always chose
STALE_S = 4.0
JOB = """
import datetime as real, runpy, sys
from ah_ray.output import lease
from ah_ray.pipeline import run
lease.STALE_S, days = float(sys.argv[1]), int(sys.argv[2])

class Ahead(real.datetime):
    @classmethod
    def now(cls, tz=None):
        return real.datetime.now(tz) + real.timedelta(days=days)

if days:
    for name, module in list(sys.modules.items()):
        if name.startswith("ah_ray") and getattr(module, "datetime", None) is real.datetime:
            module.datetime = Ahead
sys.argv = sys.argv[3:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""
"""jobs/score.py with a short stale time, and perhaps a clock that is ahead."""
TITLES = {"decoder": "(Decoder)", "replica": "(Replica)", "reducer": "ray::Reducer"}
LIMIT_S = 600.0


@dataclass(slots=True)
class Outcome:
    """What became of one seed."""

    seed: int
    kills: list[str] = field(default_factory=list)
    restarts: int = 0
    seconds: float = 0.0
    problem: str | None = None

    def row(self) -> str:
        kills = ", ".join(self.kills)
        result = self.problem or "the same tables"
        return f"| {self.seed} | {kills} | {self.restarts} | {self.seconds:.0f} | {result} |"


def make_videos(folder: Path, n_videos: int) -> Path:
    """Good recordings of 2 to 4 clips; every tenth is none."""
    drawn = folder / "drawn"
    make_cohort(drawn)
    cohort = folder / "cohort"
    cohort.mkdir()
    for n in range(n_videos):
        good = drawn / f"visit-01/answer {n % 3 + 1}.mp4"
        bad = drawn / "visit-03/a letter.mp4"
        shutil.copy(bad if n % 10 == 9 else good, cohort / f"{n:03}.mp4")
    return cohort


class Run:
    """jobs/score.py on these machines."""

    def __init__(self, machines: Machines, cohort: Path, out: Path, days_ahead: int = 0):
        self.out = out
        python, *job = score_job(
            "--videos", cohort, "--out", out, "--model", "tiny", "--max-failed", 1,
            "--decoders", 2, "--replicas", 2,
        )  # fmt: skip
        environment = os.environ | {"RAY_ADDRESS": machines.address}
        self.log = (out.parent / f"{out.name}.log").open("a")
        command = [python, "-c", JOB, str(STALE_S), str(days_ahead), *job]
        self.process = subprocess.Popen(
            command, env=environment, stdout=self.log, stderr=subprocess.STDOUT
        )

    def rows(self) -> int:
        return sum(1 for _ in (self.out / "videos").glob("*.parquet"))

    def wait(self, rows: int, until: float) -> bool:
        """True once so many rows are there; False if it ended before."""
        while self.process.poll() is None and time.monotonic() < until:
            if self.rows() >= rows:
                return True
            time.sleep(0.02)
        return False

    def end(self, until: float) -> int | None:
        """Its exit status; null if it hangs."""
        try:
            return self.process.wait(timeout=max(1.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            return None


def disturb(seed: int, machines: Machines, cohort: Path, out: Path, n_videos: int) -> Outcome:
    """One seed: a run, its kills, and at most one restart."""
    dice = random.Random(seed)
    outcome = Outcome(seed)
    began = time.monotonic()
    with_stops = seed >= FIRST_WITH_STOPS
    kinds = VICTIMS + STOPPED if with_stops else VICTIMS
    victims = [dice.choice(kinds) for _ in range(dice.randint(1, 4))]
    moments = sorted(dice.randrange(0, n_videos - 4) for _ in victims)
    days_ahead = dice.choice((0, 1)) if with_stops else 0
    run = Run(machines, cohort, out, days_ahead)
    if days_ahead:
        outcome.kills.append("clock a day ahead")
    for victim, rows in zip(victims, moments, strict=True):
        if victim.endswith("driver") and outcome.restarts:
            continue  # the operator comes once
        if not run.wait(rows, began + LIMIT_S):
            break
        if victim == "stopped driver":
            outcome.kills.append(f"{victim} at {rows}")
            outcome.restarts += 1
            run, outcome.problem = taken_over(run, machines, cohort)
            if outcome.problem:
                return outcome
            continue
        if not kill(victim, run, machines, dice):
            continue
        outcome.kills.append(f"{victim} at {rows}")
        if victim == "driver":
            run.end(began + LIMIT_S)
            outcome.restarts += 1
            run = Run(machines, cohort, out)
    status = run.end(began + LIMIT_S)
    if status != 0 and not outcome.restarts:
        outcome.restarts += 1
        run = Run(machines, cohort, out)
        status = run.end(began + 2 * LIMIT_S)
    outcome.seconds = time.monotonic() - began
    if status != 0:
        outcome.problem = f"exit status {status}"
    return outcome


def taken_over(stopped: Run, machines: Machines, cohort: Path) -> tuple[Run, str | None]:
    """The run that takes the place of one whose driver is stopped for a while, and what is wrong
    with how that one ends, if anything is."""
    stopped.process.send_signal(signal.SIGSTOP)
    run = Run(machines, cohort, stopped.out)
    until = time.monotonic() + 60
    lease = stopped.out / "lease.json"
    before = json.loads(lease.read_bytes())["run_id"]
    while json.loads(lease.read_bytes())["run_id"] == before and time.monotonic() < until:
        time.sleep(0.2)
    stopped.process.send_signal(signal.SIGCONT)
    status = stopped.end(time.monotonic() + 120)
    return run, None if status in (3, 4) else f"the stopped run ended with {status}"


def kill(victim: str, run: Run, machines: Machines, dice: random.Random) -> bool:
    """False if there is none of them at this moment."""
    if victim == "driver":
        run.process.kill()
        return True
    if victim == "raylet":
        return machines.kill_worker(dice)
    until = time.monotonic() + 20
    title = TITLES[victim.removeprefix("stopped ")]
    while not (found := machines.actors(title)) and time.monotonic() < until:
        if run.process.poll() is not None:
            return False
        time.sleep(0.05)
    if not found:
        return False
    chosen = dice.choice(found)
    if not victim.startswith("stopped "):
        chosen.kill()
        return True
    with suppress(psutil.Error):
        chosen.suspend()
        time.sleep(2 * STALE_S)
        chosen.resume()
    return True


def differs(out: Path, undisturbed: Path) -> str | None:
    """What is not the same in both; `attempts` and the run's own columns aside."""
    expected, found = verdicts(undisturbed), verdicts(out)
    if found.keys() != expected.keys():
        lost, more = expected.keys() - found.keys(), found.keys() - expected.keys()
        return f"{len(lost)} videos lost, {len(more)} too many"
    for video_id, row in found.items():
        for name, value in row.items():
            if value != expected[video_id][name]:
                return f"{video_id}: {name} is {value!r}, not {expected[video_id][name]!r}"
    if clips(out) != clips(undisturbed):
        return "the timelines differ"
    if row_files(out).keys() != row_files(undisturbed).keys():
        return "other row files"
    return None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", default="1-3", help="as 1-30")
    parser.add_argument("--videos", type=int, default=40)
    arguments = parser.parse_args()
    first, _, last = arguments.seeds.partition("-")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    folder = Path(tempfile.mkdtemp(prefix="chaos-"))
    cohort = make_videos(folder, arguments.videos)
    print("| seed | killed (at so many rows) | restarts | s | outcome |", flush=True)
    print("| ---: | --- | ---: | ---: | --- |", flush=True)
    failed = False
    machines = Machines()
    try:
        undisturbed = folder / "undisturbed"
        if Run(machines, cohort, undisturbed).end(time.monotonic() + LIMIT_S) != 0:
            sys.exit((folder / "undisturbed.log").read_text())
        for seed in range(int(first), int(last or first) + 1):
            out = folder / f"seed-{seed}"
            outcome = disturb(seed, machines, cohort, out, arguments.videos)
            outcome.problem = outcome.problem or differs(out, undisturbed)
            failed |= outcome.problem is not None
            print(outcome.row(), flush=True)
            if outcome.problem is None:
                shutil.rmtree(out)
    finally:
        machines.shutdown()
        ray.shutdown()
    if failed:
        sys.exit(f"what was left of the failed ones is in {folder}")
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
