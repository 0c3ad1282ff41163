"""Spoils valid media files by the thousand, and passes each through the real decode path.

    python tests/faults/fuzz_media.py --files 500 --seed 1 [--keep FOLDER] [--jobs 2] [--only K]

Every file must end in clips and facts within its limits, for any content, and leave nothing
behind (watched_decode.py). One that breaks a promise is kept, with its seed; exit status 1.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # as pytest does: tests/videos.py

from fuzz_bases import RECIPES, make_bases
from mutations import Seen, mutated
from rich.console import Console
from rich.table import Table
from watched_decode import Outcome, watched_decode

from ah_ray.config import Limits, Tail, Windows
from ah_ray.media.decode import decode
from ah_ray.profile import load_profile

LIMITS = Limits(
    timeout_s=10,
    timeout_s_per_mb=0,
    max_memory_bytes=512 << 20,
    max_pixels=1920 * 1088,
    max_duration_s=600,
)
_WORKER_BYTES = 4 << 30
"""Address space of a worker, many times what it needs: a leak fails there, not on the machine."""

_SUFFIXES = (".mp4", ".webm", ".avi", ".ts", ".mkv", ".bin")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fuzzed:
    """One spoiled file, and what became of it."""

    seed: int
    number: int
    container: str
    mutations: tuple[str, ...]
    outcome: Outcome
    kept: str | None = None

    def __str__(self) -> str:
        how = " + ".join(self.mutations)
        broken = "; ".join(self.outcome.violations)
        again = f"--seed {self.seed} --only {self.number}"
        return f"{again} ({self.container}, {how}): {broken}\n    kept as {self.kept}"


@dataclass(slots=True)
class Report:
    """All that was fuzzed, by container."""

    files: Counter[str] = field(default_factory=Counter)
    outcomes: Counter[tuple[str, str]] = field(default_factory=Counter)
    slowest_s: dict[str, float] = field(default_factory=dict)
    violations: list[Fuzzed] = field(default_factory=list)

    def add(self, one: Fuzzed) -> None:
        container, outcome = one.container, one.outcome
        self.files[container] += 1
        came_to = outcome.kind if outcome.status == "failed" else outcome.status
        self.outcomes[container, str(came_to)] += 1
        self.slowest_s[container] = max(self.slowest_s.get(container, 0.0), outcome.seconds)
        if outcome.violations:
            self.violations.append(one)

    def table(self) -> Table:
        kinds = sorted({kind for _, kind in self.outcomes} - {"ok", "partial"})
        columns = ["ok", "partial", *kinds]
        table = Table("container", box=None)
        for title in ("files", *columns, "slowest", "violations"):
            table.add_column(title, justify="right")
        for container in RECIPES:
            counts = [str(self.outcomes[container, kind]) for kind in columns]
            slowest = f"{self.slowest_s.get(container, 0):.1f} s"
            broken = sum(one.container == container for one in self.violations)
            table.add_row(container, str(self.files[container]), *counts, slowest, str(broken))
        totals = [str(sum(self.outcomes[c, kind] for c in RECIPES)) for kind in columns]
        slowest = f"{max(self.slowest_s.values(), default=0):.1f} s"
        all_files = str(self.files.total())
        table.add_row("all", all_files, *totals, slowest, str(len(self.violations)))
        return table


def fuzz(seed: int, numbers: Sequence[int], *, keep: Path, jobs: int = 2) -> Report:
    """Spoils and decodes the files of these numbers, in `jobs` processes."""
    report = Report()
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        bases = make_bases(Path(folder) / "bases")
        spawn = multiprocessing.get_context("spawn")
        settings = (seed, bases, keep, Path(folder))
        with ProcessPoolExecutor(jobs, spawn, _set_up, settings) as pool:
            left = iter(numbers)
            under_way = {pool.submit(_fuzz_one, number) for number in islice(left, 4 * jobs)}
            while under_way:
                done, under_way = wait(under_way, return_when=FIRST_COMPLETED)
                under_way |= {pool.submit(_fuzz_one, number) for number in islice(left, len(done))}
                for one in done:
                    report.add(one.result())
    return report


_here: tuple[int, dict[str, list[tuple[str, bytes]]], Path, Path]


def _set_up(seed: int, bases: dict[str, list[Path]], keep: Path, folder: Path) -> None:
    """Once in each process: a folder of its own, and the valid files in memory."""
    global _here
    own = Path(tempfile.mkdtemp(dir=folder))
    os.environ["TMPDIR"] = str(own / "tmp")
    tempfile.tempdir = str(own / "tmp")
    for name in ("tmp", "in"):
        (own / name).mkdir()
    resource.setrlimit(resource.RLIMIT_AS, (_WORKER_BYTES, _WORKER_BYTES))
    contents = {
        container: [(path.suffix, path.read_bytes()) for path in paths]
        for container, paths in bases.items()
    }
    _here = (seed, contents, keep, own / "in")
    # What a decoder starts once, for all videos, is no leak of one of them.
    valid = next(iter(bases.values()))[0]
    for _ in decode(valid, profile=load_profile("tiny"), windows=Windows(), limits=LIMITS):
        pass


def _fuzz_one(number: int) -> Fuzzed:
    seed, contents, keep, folder = _here
    rng = random.Random(f"{seed} {number}")
    container = list(contents)[number % len(contents)]
    suffix, data = rng.choice(contents[container])
    others = tuple(other for c, each in contents.items() if c != container for _, other in each)
    siblings = tuple(other for _, other in contents[container] if other is not data)
    data, names = mutated(data, rng, Seen(container, others, siblings))
    if rng.random() < 0.1:
        suffix = rng.choice(_SUFFIXES)
    path = folder / f"{seed}-{number}{suffix}"
    path.write_bytes(data)
    outcome = watched_decode(
        path, profile=load_profile("tiny"), windows=_windows(rng), limits=LIMITS
    )
    kept = None
    if outcome.violations:
        keep.mkdir(parents=True, exist_ok=True)
        kept = shutil.copy(path, keep)
    path.unlink()
    return Fuzzed(
        seed=seed,
        number=number,
        container=container,
        mutations=tuple(names),
        outcome=outcome,
        kept=kept and str(kept),
    )


def _windows(rng: random.Random) -> Windows:
    """Short ones, so that a video of two seconds has several."""
    window_s = rng.choice((0.4, 0.4, 1.0, 5.0))
    hop_s = rng.choice((window_s, window_s, 0.25))
    tail = rng.choice(list(Tail))
    return Windows(window_s=window_s, hop_s=hop_s, min_tail_s=window_s / 2, tail=tail)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, help="the one file of this number")
    parser.add_argument("--keep", type=Path, default=Path("fuzz-found"), help="where to keep finds")
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args(arguments)
    numbers = range(given.files) if given.only is None else [given.only]
    started = time.monotonic()
    report = fuzz(given.seed, numbers, keep=given.keep, jobs=min(given.jobs, len(numbers)))
    console = Console(width=140)
    for one in report.violations:
        print(one)
    console.print(report.table())
    seconds = time.monotonic() - started
    print(f"seed {given.seed}, {len(numbers)} files in {seconds:.0f} s")
    return 1 if report.violations else 0


if __name__ == "__main__":
    sys.exit(main())
