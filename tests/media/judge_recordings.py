"""Decodes the recordings with known truth and prints one line for each: right, or what is wrong.

python tests/media/judge_recordings.py [NAME …] [--generated] [--given] [--hop 10] [--was]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))  # as pytest does: tests/videos.py

import format_recordings  # noqa: F401 — it adds its own recipes
import odd_recordings  # noqa: F401 — and so does this
import recorder_recordings  # noqa: F401 — and so does this
from generated_recordings import RECIPES
from recording_cases import Case, judge, load_cases

from ah_ray.config import Tail, Windows
from ah_ray.media.windows import Given


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", help="files, or parts of their names; all by default")
    parser.add_argument("--generated", action="store_true", help="those that are made here")
    parser.add_argument("--given", action="store_true", help="give the windows one by one")
    parser.add_argument("--hop", type=float, default=5.0, help="seconds from window to window")
    parser.add_argument("--was", action="store_true", help="show what the first decoder did too")
    parser.add_argument("--keep", type=Path, help="where to keep what is made")
    given = parser.parse_args(arguments)
    n_wrong = n_all = 0
    with tempfile.TemporaryDirectory(prefix="recordings-") as folder:
        for name, case, path in _recordings(given, given.keep or Path(folder)):
            windows = Windows(hop_s=given.hop, tail=Tail.KEEP if given.generated else Tail.DROP)
            if given.given:
                starts = [given.hop * n for n in range(int(case.duration_s // given.hop) + 1)]
                windows = Given.of([(start, start + 5.0) for start in starts])
            started = time.monotonic()
            try:
                says = str(judge(case, windows=windows, path=path))
            except Exception as error:  # every recording has a line
                says = f"raised {error!r}"
            n_wrong += says != "right"
            n_all += 1
            was = f"was {case.was:5}  " if given.was else ""
            says = says if says == "right" else f"WRONG: {says}"
            print(f"{name:45} {was}{time.monotonic() - started:5.1f} s  {says}", flush=True)
    print(f"{n_wrong} of {n_all} are wrong")
    return min(n_wrong, 1)


def _recordings(given: argparse.Namespace, folder: Path) -> Iterator[tuple[str, Case, Path]]:
    folder.mkdir(exist_ok=True, parents=True)
    for name in RECIPES if given.generated else load_cases():
        if given.names and not any(part in name for part in given.names):
            continue
        if not given.generated:
            yield name, load_cases()[name], load_cases()[name].path
            continue
        path = RECIPES[name].make(folder)
        if given.keep:
            path = path.rename(folder / f"{name.replace('/', ' ')}{path.suffix}")
        yield name, RECIPES[name].case, path


if __name__ == "__main__":
    sys.exit(main())
