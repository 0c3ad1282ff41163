"""Do we show a model what ms-swift shows it? Clip by clip and step by step, with the first that
differs.

    python benchmarks/parity.py FOLDER [--profile NAME]

FOLDER holds `base` (a checkpoint), adapters that ms-swift trained on it (folders with args.json),
`clips` (NAME.mp4 with NAME.wav, as prepare.py --cut-clips writes them) and `expected.tsv`: a row
for each clip with the P(Yes) that ms-swift found, in a column for each model that is named like its
folder, or as a comment says (`# B lora_swift400: …`); `gridB` holds [t, h, w] of column B. Each
model is shown the clips with the profile that its record chooses, or the named one. P is ours
through the decoder, and ours from the reference's inputs.

Exit status: 0 if every P is within 0.02 (within 0.002 where nothing is scaled) and no answer turns.
"""

from __future__ import annotations

import argparse
import csv
import json
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from parity_reference import Reference, Steps, read_wav
from transformers import Qwen3OmniMoeThinkerConfig

from ah_ray.config import Arithmetic, Limits, Tail, Windows
from ah_ray.media.decode import decode
from ah_ray.media.frames import frame_count, linspace_picks
from ah_ray.media.resize import scaling_stages
from ah_ray.omni.inputs.audio import compute_log_mel, count_mel_frames
from ah_ray.omni.inputs.layout import ClipLayout, lay_out_clip
from ah_ray.omni.inputs.tokenizer import load_tokenizer
from ah_ray.omni.inputs.vision import compute_patch_grid
from ah_ray.omni.model.thinker import Thinker
from ah_ray.omni.questionnaire import build_questionnaire
from ah_ray.omni.scorer import OmniScorer
from ah_ray.omni.weights.checkpoint import load_thinker_config
from ah_ray.omni.weights.training_record import choose_profile
from ah_ray.profile import Profile
from ah_ray.records import Clip

P_SCALED, P_UNSCALED = 0.02, 0.002
GREY_LEVELS, MEL, POSITION = 2, 1e-4, 1e-3
ONE_CLIP = Windows(window_s=30.0, hop_s=30.0, tail=Tail.KEEP)
_MODEL_OF_COLUMN = re.compile(r"\b(\w+) (\w+):")


@dataclass(frozen=True, slots=True, kw_only=True)
class Model:
    """A model of the folder, and the column that says what ms-swift found for it."""

    name: str
    adapter: Path
    column: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """Our way against the reference's, for one clip."""

    clip: str
    ids: int  # tokens that differ; −1: there are more or fewer of them
    picks: int
    grid: tuple[int, int, int]
    reference_grid: tuple[int, int, int]
    positions: float | None  # largest difference; null where there are more or fewer tokens
    grey_mean: float | None  # null where the sizes differ
    grey_max: int | None
    mel: float | None
    p: float
    p_of_reference_inputs: float
    expected: float
    tolerance: float

    @property
    def turned(self) -> bool:
        """Return whether the answer is another one."""
        return (self.p >= 0.5) != (self.expected >= 0.5)

    @property
    def is_good(self) -> bool:
        return abs(self.p - self.expected) <= self.tolerance and not self.turned

    @property
    def differs_at(self) -> str:
        """Return the first step that is not the reference's; empty if all are."""
        steps = {
            "picks": self.picks > 0,
            "grid": self.grid != self.reference_grid,
            "pixels": self.grey_max is not None and self.grey_max > GREY_LEVELS,
            "mel": self.mel is None or self.mel > MEL,
            "ids": self.ids != 0,
            "positions": self.positions is None or self.positions > POSITION,
            "P": not self.is_good,
        }
        return next((step for step, differs in steps.items() if differs), "")


def models_of(folder: Path) -> list[Model]:
    """Return the models of a folder for which there are expected values."""
    text = (folder / "expected.tsv").read_text()
    comments = " ".join(line for line in text.splitlines() if line.startswith("#"))
    columns = expected_rows(folder)[0].keys()
    named = {model: column for column, model in _MODEL_OF_COLUMN.findall(comments)}
    return [
        Model(name=adapter.name, adapter=adapter, column=column)
        for adapter in sorted(path.parent for path in folder.glob("*/adapter_config.json"))
        if (column := named.get(adapter.name, adapter.name)) in columns
    ]


def expected_rows(folder: Path) -> list[dict[str, str]]:
    """Return the rows of expected.tsv, wherever its comments stand."""
    lines = (folder / "expected.tsv").read_text().splitlines()
    return list(csv.DictReader((ln for ln in lines if not ln.startswith("#")), delimiter="\t"))


class Parity:
    """One model, ready to be shown clips in both ways."""

    def __init__(self, base: Path, model: Model, profile: str | None = None):
        named = [(str(base), base, (model.adapter,))]
        self.chosen = choose_profile(profile, named, binding=False)
        self.profile: Profile = self.chosen.profile
        tokenizer = load_tokenizer(base)
        thinker = Thinker.load(
            base, Arithmetic.FLOAT32, [torch.device("cpu")], [model.adapter], lambda _: None
        )
        self.scorer = OmniScorer.from_thinker(thinker, tokenizer, self.profile)
        self._config = Qwen3OmniMoeThinkerConfig.from_dict(load_thinker_config(base))
        self.reference = Reference(self._config, tokenizer, self.profile)
        self._tree = build_questionnaire(self.profile.select_questions(()), tokenizer).tree

    def compare(self, name: str, mp4: Path, wav: Path, expected: float) -> Compared:
        """Return the differences for one clip. Raise RuntimeError if it cannot be decoded."""
        clip, source = self.our_clip(mp4, wav)
        return self.compare_clip(name, clip, source, self.reference.steps(mp4, wav), expected)

    def compare_clip(
        self, name: str, clip: Clip, source: tuple[int, int], theirs: Steps, expected: float
    ) -> Compared:
        """Return the differences of a decoded clip, whose pictures were `source` (width, height)
        px."""
        layout = self._lay_out(clip)
        same_grid = clip.frames.shape == theirs.frames.shape
        grey = np.abs(clip.frames.astype(int) - theirs.frames) if same_grid else None
        mel = compute_log_mel(torch.from_numpy(clip.samples)).numpy()
        is_scaled = bool(scaling_stages(*source, self.profile))
        reference_clip = replace(clip, frames=theirs.frames, sampled_s=theirs.seconds)
        p, p_of_reference_inputs = (
            self.scorer.score([one])[0].p_ah for one in (clip, reference_clip)
        )
        same_length = layout.ids.shape == theirs.ids.shape
        return Compared(
            clip=name,
            picks=_n_other_picks(theirs, self.profile),
            grid=layout.grid,
            reference_grid=theirs.grid,
            grey_mean=None if grey is None else float(grey.mean()),
            grey_max=None if grey is None else int(grey.max()),
            mel=float(np.abs(mel - theirs.mel).max()) if mel.shape == theirs.mel.shape else None,
            ids=int((layout.ids != theirs.ids).sum()) if same_length else -1,
            positions=float(np.abs(layout.positions - theirs.positions).max())
            if same_length
            else None,
            p=p,
            p_of_reference_inputs=p_of_reference_inputs,
            expected=expected,
            tolerance=P_SCALED if is_scaled else P_UNSCALED,
        )

    def our_clip(self, mp4: Path, wav: Path) -> tuple[Clip, tuple[int, int]]:
        """Return the clip as our decoder shows it, with the wav's sound, and its source's size."""
        *clips, facts = decode(mp4, profile=self.profile, windows=ONE_CLIP, limits=Limits())
        if len(clips) != 1 or clips[0].frames is None:
            raise RuntimeError(f"{mp4.name}: {facts.error or 'it is longer than a clip'}")
        return replace(clips[0], samples=read_wav(wav)), (facts.width_px, facts.height_px)

    def _lay_out(self, clip: Clip) -> ClipLayout:
        return lay_out_clip(
            self._tree,
            compute_patch_grid(clip.frames.shape),
            count_mel_frames(len(clip.samples)),
            self.profile.grid_seconds(clip.picture_s, len(clip.frames)),
            self._config.position_id_per_seconds,
            self.profile.floor_positions,
        )


def _n_other_picks(theirs: Steps, profile: Profile) -> int:
    """Return how many of the picks for the clip's pictures are not the reference's.

    Of a clip as it was cut, whose pictures come at a constant rate.
    """
    n_wanted = frame_count(theirs.seconds, profile.fps, profile.min_frames)
    ours = linspace_picks(theirs.n_pictures, n_wanted)
    return abs(len(ours) - len(theirs.picks)) or int((ours != theirs.picks).sum())


def compared(folder: Path, model: Model, parity: Parity) -> Iterator[Compared]:
    """Yield the differences of one model for every clip that is there."""
    for row in expected_rows(folder):
        mp4 = folder / "clips" / f"{row['clip']}.mp4"
        found = parity.compare(row["clip"], mp4, mp4.with_suffix(".wav"), float(row[model.column]))
        grid = row.get(f"grid{model.column}")
        yield replace(found, reference_grid=tuple(json.loads(grid))) if grid else found


def line(found: Compared) -> str:
    """Return one row of the table."""
    grey = "–" if found.grey_mean is None else f"{found.grey_mean:.3f} / {found.grey_max}"
    grid = "×".join(map(str, found.grid))
    if found.grid != found.reference_grid:
        grid += f" (not {'×'.join(map(str, found.reference_grid))})"
    cells = (
        found.clip,
        str(found.picks),
        grid,
        grey,
        "–" if found.mel is None else f"{found.mel:.0e}",
        "other length" if found.ids < 0 else str(found.ids),
        "–" if found.positions is None else f"{found.positions:.3g}",
        f"{found.p:.5f}",
        f"{found.p_of_reference_inputs:.5f}",
        f"{found.expected:.5f}",
        f"{found.p - found.expected:+.5f}" + (" turned" if found.turned else ""),
        found.differs_at or "nowhere",
    )
    return f"| {' | '.join(cells)} |"


HEAD = (
    "| clip | picks | grid | grey levels, mean / max | mel | ids | positions | P | P of the "
    "reference's inputs | expected | difference | differs at |\n"
    "| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |"
)


def main() -> int:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("folder", type=Path)
    options.add_argument("--profile", help="in place of what each model's record chooses")
    given = options.parse_args()
    torch.set_num_threads(1)
    models = models_of(given.folder)
    if not models:
        print(f"{given.folder}: expected.tsv has no column for any adapter there", file=sys.stderr)
        return 2
    good = True
    for model in models:
        parity = Parity(given.folder / "base", model, given.profile)
        why = f" ({parity.chosen.reason})" if parity.chosen.reason else ""
        print(f"\n{model.name}, profile {parity.profile.name}{why}\n\n{HEAD}")
        rows = []
        for found in compared(given.folder, model, parity):
            rows.append(found)
            print(line(found), flush=True)
        away = [abs(found.p - found.expected) for found in rows]
        n_turned = sum(found.turned for found in rows)
        print(f"\nP: mean {np.mean(away):.5f}, at most {max(away):.5f}; answers turned: {n_turned}")
        good = good and all(found.is_good for found in rows)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
