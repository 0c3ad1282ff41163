"""Kinds of checkpoints and adapters: what is expected of each, and what is seen.

python benchmarks/checkpoints.py

P is held against transformers' own forward, and that of an adapter against peft's, in float32 on a
few clips. A kind that cannot be scored with must be refused with the advice that helps.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests"))
sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "omni"))

import torch
from checkpoint_kinds import ADAPTERS, CHECKPOINTS, Given, Kind
from drawn_clips import draw_clip
from layouts import in_float32
from seeded import seeded_tiny
from transformers_reference import Reference

from ah_ray.config import Arithmetic
from ah_ray.errors import ConfigError
from ah_ray.omni.merged_checkpoint import write_merged_checkpoint
from ah_ray.omni.scorer import OmniScorer
from ah_ray.omni.weights.checkpoint import find_checkpoint
from ah_ray.profile import load_profile

TOLERANCE = 1e-5
_CLIPS = [draw_clip(0), draw_clip(1, n_frames=4, seconds=0.6)]


def rows(kinds: list[Kind]) -> Iterator[tuple[Kind, str, bool]]:
    """Yield each kind with what was seen, and whether that is what was expected."""
    with tempfile.TemporaryDirectory(prefix="ah_ray-kinds-") as folder:
        base = in_float32(seeded_tiny(), Path(folder) / "base")
        of_base = _by(Reference(base, load_profile("tiny")))
        for number, kind in enumerate(kinds):
            place = Path(folder) / str(number)
            place.mkdir()
            given = kind.make(base, place)
            is_refused = not kind.expected.startswith("P of ")
            try:
                found = _ours(given, place / "merged")
            except ConfigError as error:
                sentence = str(error).replace(folder, "…")
                yield kind, _cut(sentence, kind.expected), is_refused and kind.expected in sentence
                continue
            expected = of_base if given.unmerged is None else _by(given.unmerged)
            off = max(abs(a - b) for a, b in zip(found, expected, strict=True))
            moved = given.unmerged is None or max(
                abs(a - b) for a, b in zip(expected, of_base, strict=True)
            ) > 100 * TOLERANCE  # fmt: skip
            yield kind, f"P off by {off:.0e}", not is_refused and off < TOLERANCE and moved


def _by(reference: Reference) -> list[float]:
    return [reference.p_ah(clip) for clip in _CLIPS]


def _ours(given: Given, merged: Path) -> list[float]:
    """Return P by our own scorer, of the model with its adapters merged in."""
    checkpoint = given.checkpoint
    if given.adapters:
        write_merged_checkpoint(checkpoint, given.adapters, merged, any_base=False)
        checkpoint = merged
    scorer = OmniScorer.load(
        find_checkpoint(str(checkpoint)),
        profile=load_profile("tiny"),
        arithmetic=Arithmetic.FLOAT32,
        device="cpu",
    )
    return [score.p_ah for score in scorer.score(_CLIPS)]


def _cut(sentence: str, expected: str) -> str:
    """Return what a sentence says from the expected part on, short and on one line."""
    text = " ".join(sentence.split())
    return f"refused: … {text[max(0, text.find(expected)) :][:70]}"


def main() -> int:
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    torch.set_num_threads(1)
    n_wrong = 0
    print("| kind | expected | seen | |\n| --- | --- | --- | --- |")
    for kind, seen, is_right in rows([*CHECKPOINTS, *ADAPTERS]):
        n_wrong += not is_right
        cells = (kind.name, kind.expected, seen, "ok" if is_right else "WRONG")
        print("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |", flush=True)
    return 1 if n_wrong else 0


if __name__ == "__main__":
    sys.exit(main())
