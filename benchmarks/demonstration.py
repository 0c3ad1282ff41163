"""How good is the demonstration model on faces that it never saw, and does it need both senses?

    python benchmarks/demonstration.py [--model tiny] [--clips 600]

Draws videos whose seeds no training uses, as real mp4 files; the same without their sound, and
with a grey picture. Scores all with the nightly job, and compares each clip with what was drawn.
A/H shows where face and voice disagree, so with one of them alone no better than a guess is right.
Of the same look at each clip it asks what face and voice do, each by itself: where these two
answers contradict each other, A/H was drawn.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rich.console import Console

from ah_ray import cluster
from ah_ray.config import Limits, score_settings
from ah_ray.media.ffmpeg import synthetic
from ah_ray.media.ffmpeg.ffmpeg_process import recording_input
from ah_ray.media.ffmpeg.synthetic import Scene
from ah_ray.output.read import read_clips, read_verdicts
from ah_ray.pipeline.run import score
from ah_ray.profile import YES
from ah_ray.study.evaluation.figures.measures import answer_measures, average_precision, confusions
from ah_ray.training.demo import draw_videos, make_scenes
from ah_ray.verdicts.further_answers import find_likeliest

WAYS = {
    "picture and sound": None,
    "sound taken away": {"c:v": "copy", "an": None},
    "picture grey": {"vf": "drawbox=color=gray:t=fill", "c:a": "copy"},
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--model", default="tiny")
    options.add_argument("--clips", type=int, default=600)
    given = options.parse_args()
    n_videos = 0
    n_clips = 0
    while n_clips < given.clips:
        n_clips += len(make_scenes("test", n_videos))
        n_videos += 1
    print(f"{n_clips} clips of {n_videos} drawn videos that no training has seen; {given.model}\n")
    print("| shown | accuracy | macro-F1 | average precision | answer mass |")
    print("| --- | ---: | ---: | ---: | ---: |")
    with tempfile.TemporaryDirectory() as folder, cluster.connected():
        for way, options in WAYS.items():
            place = Path(folder) / way.replace(" ", "-")
            videos = Path(folder) / "videos"
            if options is None:
                draw_videos(videos, {"test": n_videos}, Console(quiet=True))
            else:
                videos = changed(videos, place / "videos", options)
            drawn, clips = score_drawings(videos, place / "scores", given.model)
            print(row(way, drawn, clips), flush=True)
            if options is None:
                readings = [*reading_rows(drawn, clips)]
    print("\n| asked of the same look, with picture and sound | |\n| --- | ---: |")
    print("\n".join(readings))


def changed(videos: Path, to: Path, options: dict[str, str | None]) -> Path:
    """The same videos, put through ffmpeg once more, with these options of its own."""
    to.mkdir(parents=True)
    for path in sorted(videos.glob("*.mp4")):
        with path.open("rb") as drawn, (to / path.name).open("w+b") as file:
            source = recording_input(drawn, Limits())
            synthetic.draw(source, drawn=[drawn], file=file, f="mp4", **options)
    return to


def score_drawings(videos: Path, out: Path, model: str) -> tuple[list[Scene], list[dict]]:
    """What was drawn, and what was answered, clip by clip."""
    settings = {"videos": str(videos), "out": str(out), "model": model, "profile": "tiny-why"}
    outcome = score(score_settings(**settings), Console(quiet=True))
    if outcome.summary.exit_status:
        sys.exit(f"scoring ended with {outcome.summary.exit_status}")
    names = {r["video_id"]: Path(r["uri"]).stem for r in read_verdicts(str(out)).to_pylist()}
    clips = read_clips(str(out)).to_pylist()
    drawn = []
    for clip in clips:
        number = int(names[clip["video_id"]].removeprefix("test-"))
        drawn.append(make_scenes("test", number)[clip["clip_index"]])
    return drawn, clips


def row(way: str, scenes: list[Scene], clips: list[dict]) -> str:
    drawn = np.array([scene.shows_ah for scene in scenes])
    p_ah, mass = (np.array([clip[name] for clip in clips]) for name in ("p_ah", "answer_mass"))
    measures = answer_measures(confusions(drawn, p_ah >= 0.5).sum(axis=0))
    ap = average_precision(drawn, p_ah, np.ones((1, len(drawn))))[0]
    figures = (measures["accuracy"], measures["macro_f1"], ap, mass.mean())
    return f"| {way} | " + " | ".join(f"{figure:.3f}" for figure in figures) + " |"


def reading_rows(scenes: list[Scene], clips: list[dict]) -> Iterator[str]:
    """How often face and voice were read as drawn, and how well their contrast tells A/H alone."""
    for name, drawn in (
        ("face", [scene.smiling for scene in scenes]),
        ("voice", [scene.rising for scene in scenes]),
    ):
        read = [find_likeliest(clip["answers"])[name][0] == YES for clip in clips]
        yield f"| {name}: accuracy | {np.mean(np.equal(read, drawn)):.3f} |"
    shows_ah = np.array([scene.shows_ah for scene in scenes])
    distance = np.array([clip["contrasts"][0]["distance"] for clip in clips])
    ap = average_precision(shows_ah, distance, np.ones((1, len(clips))))[0]
    yield f"| contrast of face and voice: average precision for A/H | {ap:.3f} |"


if __name__ == "__main__":
    main()
