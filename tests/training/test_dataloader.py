"""Windows of real videos, in the order of steps, through Ray Data's decode stage."""

from pathlib import Path

import numpy as np
import pytest

from ah_ray.config import Limits
from ah_ray.media.decode import decode
from ah_ray.media.ffmpeg.synthetic import random_scenes, write_video
from ah_ray.media.windows import Given
from ah_ray.training.data import dataloader
from ah_ray.training.data.dataloader import ClipLoader, DecodeStage, LabelledWindow
from ah_ray.training.data.sampler import Order, OrderWindow
from ah_ray.training.data.windows_decoder import VisitSettings


@pytest.fixture(scope="module")
def videos(tmp_path_factory) -> list[str]:
    """Three of 10 s, one damaged, one that is not there."""
    folder = tmp_path_factory.mktemp("videos")
    paths = [folder / f"{n}.mp4" for n in range(3)]
    for n, path in enumerate(paths):
        write_video(path, random_scenes(2, n), size_px=64)
    (folder / "letter.mp4").write_text("Dear study team, …\n" * 40)
    return [str(path) for path in (*paths, folder / "letter.mp4", folder / "gone.mp4")]


def window(uri: str, start_s: float, end_s: float, question: str | None = None) -> LabelledWindow:
    return LabelledWindow(
        uri=uri, start_s=start_s, end_s=end_s, label=start_s > 0, question=question, weight=1.5
    )


@pytest.fixture(scope="module")
def windows(videos) -> list[LabelledWindow]:
    spans = [(0, 5), (5, 10), (2.5, 6)]
    good = [window(uri, *span) for uri in videos[:3] for span in spans]
    return [
        *good,
        window(videos[0], 0, 5, "simple?"),  # the same span asked once more
        window(videos[1], 30, 35),  # beyond its end
        window(videos[3], 0, 5),
        window(videos[4], 0, 5),
    ]


@pytest.fixture
def stage(profile, ray_session) -> DecodeStage:
    dataloader.configure_ray_data()
    return DecodeStage(
        settings=VisitSettings(profile=profile, limits=Limits()), decoders=1, cpus=0.5
    )


def test_steps_get_their_windows_and_the_rest_is_reported(windows, videos, stage, profile):
    rows = [OrderWindow(video=videos.index(w.uri), label=w.label) for w in windows]
    order = Order(windows=rows, batch=4, epochs=2, seed=3, lanes=2, buffer=4)
    epochs = [e for e in range(2) for _ in range(order.count_steps(e))]
    steps = list(zip(epochs, order.steps(), strict=True))
    source = ClipLoader(windows, steps, stage)
    given = list(source)
    undecodable = {10, 11, 12}
    assert [[clip.window for clip in clips] for clips in given] == [
        [w for w in wanted if w not in undecodable] for _, wanted in steps
    ]
    assert source.skipped.keys() == undecodable
    assert "no such object" in source.skipped[12]
    assert source.skipped[11]
    assert source.waited_s > 0
    for clips in given:
        for clip in clips:
            row = windows[clip.window]
            assert (clip.clip.start_s, clip.clip.end_s) == (row.start_s, row.end_s)
            assert (clip.label, clip.question, clip.weight) == (row.label, row.question, 1.5)
    spans = Given.of([(2.5, 6)])
    parts = decode(Path(videos[2]), profile=profile, windows=spans, limits=Limits())
    by_hand, *_ = parts
    ours = next(c for clips in given for c in clips if c.window == 8)
    np.testing.assert_array_equal(ours.clip.frames, by_hand.frames)
    np.testing.assert_array_equal(ours.clip.samples, by_hand.samples)


def test_begins_where_it_is_asked_to(windows, stage):
    steps = [(0, [0, 4]), (0, [1]), (1, [3, 0])]
    whole = [[c.window for c in clips] for clips in ClipLoader(windows, steps, stage)]
    late = [[c.window for c in clips] for clips in ClipLoader(windows, steps[1:], stage)]
    assert whole == [[0, 4], [1], [3, 0]]
    assert late == whole[1:]
    assert list(ClipLoader(windows, [], stage)) == []
    assert list(ClipLoader(windows, [(0, [])], stage)) == [[]]
