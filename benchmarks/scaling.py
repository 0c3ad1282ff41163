"""What scaling in RGB or YUV costs, and how far each is from the reference, in grey levels and P.

    python benchmarks/scaling.py [FOLDER] [--rounds 7]

FOLDER is one of benchmarks/parity.py (default: the clips of the tests). Every picture that the
reference picks goes through the filters of media/resize.py, one thread; the reference resizes the
same pictures in float32. Milliseconds are CPU time a picture, median of the rounds, conversion to
RGB included; P is against the P of the reference's own pictures.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import torch
from parity import Model, Parity, expected_rows, models_of
from parity_reference import Steps

from ah_ray.media.resize import scaling_filters, scaling_stages
from ah_ray.profile import ScaleIn
from ah_ray.records import Clip

DEFAULT = Path(__file__).parents[1] / "tests/goldens/swift"


class Chain:
    """A graph of filters that pictures of one size pass, as a decoder keeps it."""

    def __init__(self, first: av.VideoFrame, filters: Sequence[tuple[str, str]], time_base) -> None:
        self._graph = av.filter.Graph()
        last = self._graph.add_buffer(
            width=first.width,
            height=first.height,
            format=first.format.name,
            time_base=time_base,
        )
        for name, arguments in [*filters, ("buffersink", None)]:
            following = self._graph.add(name, arguments)
            last.link_to(following)
            last = following
        self._graph.configure()

    def frames(self, pictures: Sequence[av.VideoFrame]) -> np.ndarray:
        """Return the pictures as shown, `[T, H, W, 3] uint8`."""
        shown = []
        for picture in pictures:
            self._graph.push(picture)
            shown.append(self._graph.pull().to_ndarray())
        return np.stack(shown)


def measured(
    parity: Parity, mp4: Path, theirs: Steps, scale_in: ScaleIn, rounds: int
) -> tuple[np.ndarray, float, tuple[int, int]]:
    """Return the frames of a clip, the ms of CPU for a picture, and the source's size."""
    with av.open(str(mp4)) as container:
        stream = container.streams.video[0]
        wanted = set(theirs.picks.tolist())
        found = {n: frame for n, frame in enumerate(container.decode(stream)) if n in wanted}
        pictures = [found[n] for n in theirs.picks.tolist()]
        source = (stream.width, stream.height)
        stages = scaling_stages(*source, parity.profile)
        chain = Chain(pictures[0], scaling_filters(*source, stages, scale_in), stream.time_base)
        frames = chain.frames(pictures)
        times_s = []
        for _ in range(rounds):
            started = time.process_time()
            chain.frames(pictures)
            times_s.append((time.process_time() - started) / len(pictures))
    return frames, 1000 * statistics.median(times_s), source


def p_of(parity: Parity, theirs: Steps, frames: np.ndarray) -> float:
    clip = Clip(
        clip_index=0,
        start_s=0.0,
        end_s=theirs.seconds,
        frames=frames,
        samples=theirs.samples,
        sampled_s=theirs.seconds,
    )
    return parity.scorer.score([clip])[0].p_ah


def print_model(folder: Path, model: Model, rounds: int) -> None:
    """Print a row for each clip, and the summary of P."""
    parity = Parity(folder / "base", model)
    print(f"\n{model.name}, profile {parity.profile.name}\n")
    print("| clip | source → shown | way | ms | grey levels, mean | max | difference of P |")
    print("| --- | --- | --- | ---: | ---: | ---: | ---: |")
    away: dict[ScaleIn, list[float]] = {way: [] for way in ScaleIn}
    for row in expected_rows(folder):
        mp4 = folder / "clips" / f"{row['clip']}.mp4"
        theirs = parity.reference.steps(mp4, mp4.with_suffix(".wav"))
        reference_p = p_of(parity, theirs, theirs.frames)
        for way in ScaleIn:
            frames, ms, source = measured(parity, mp4, theirs, way, rounds)
            stages = scaling_stages(*source, parity.profile)
            through = " → ".join(f"{width}×{height}" for width, height in [source, *stages])
            grey = np.abs(frames.astype(int) - theirs.frames)
            difference = p_of(parity, theirs, frames) - reference_p
            away[way].append(abs(difference))
            print(
                f"| {row['clip']} | {through} | {way} | {ms:.2f} | {grey.mean():.3f} | "
                f"{grey.max()} | {difference:+.5f} |",
                flush=True,
            )
    for way, found in away.items():
        print(f"\n{way}: P differs by {np.mean(found):.5f} on average, {max(found):.5f} at most")


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("folder", type=Path, nargs="?", default=DEFAULT)
    options.add_argument("--rounds", type=int, default=7)
    given = options.parse_args()
    torch.set_num_threads(1)
    for model in models_of(given.folder):
        print_model(given.folder, model, given.rounds)


if __name__ == "__main__":
    main()
