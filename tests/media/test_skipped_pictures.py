"""Pictures that nobody wants are skipped; those that are wanted are the same to the last bit."""

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
import videos

from ah_ray.config import Limits
from ah_ray.media.caged.log import LibavLog
from ah_ray.media.caged.pictures import PictureDecoder
from ah_ray.media.caged.recording import open_container
from ah_ray.media.caged.timing.shown_pictures import list_shown_by_packets
from ah_ray.media.caged.timing.survey import survey_recording
from ah_ray.media.frames import pick_times

FOLDER = Path(__file__).parent / "recordings"
OTHERS = (".yaml", ".md", ".avi", ".mpg")  # these two do not say when pictures are shown
RECORDINGS = sorted(path for path in FOLDER.iterdir() if path.suffix not in OTHERS)
LIMITS = Limits()


def decoded(path: Path, pick) -> tuple[dict[int, np.ndarray], dict[int, np.ndarray], int]:
    """Return the picked pictures with and without skipping, and how many came out with it."""
    with path.open("rb") as file, LibavLog() as log:
        survey = survey_recording(file.fileno(), LIMITS, log)
        shown = list_shown_by_packets(survey.scan, survey.timeline)
        wanted = {int(key) for key in shown.keys[pick(shown.times_s)]}
        found = []
        n_out = 0
        for asked in (wanted, None):
            kept = {}
            with closing(open_container(file.fileno(), LIMITS.max_pixels)) as container:
                decoder = PictureDecoder(
                    container, survey.tracks.picture, survey.scan, survey.timeline, log,
                    max_pixels=LIMITS.max_pixels,
                )  # fmt: skip
                for tick, frame in decoder.frames(asked):
                    n_out += asked is not None
                    if tick in wanted:
                        kept[tick] = frame.to_ndarray()
            found.append(kept)
        return *found, n_out


def two_a_second(times_s):
    picks = [pick_times(times_s, at, at + 5.0, 10) for at in np.arange(0.0, times_s[-1], 5.0)]
    return np.unique(np.concatenate(picks))


@pytest.mark.parametrize("path", RECORDINGS, ids=lambda path: path.name)
def test_wanted_pictures_are_the_same(path):
    with_skipping, without, _ = decoded(path, two_a_second)
    assert with_skipping.keys() == without.keys()
    for tick, picture in without.items():
        np.testing.assert_array_equal(with_skipping[tick], picture)


CODECS = {
    "b-pyramid": ("-c:v", "libx264", "-preset", "veryfast", "-bf", "5", "-b-pyramid", "normal"),
    "open-gop": ("-c:v", "libx264", "-preset", "veryfast", "-x264-params", "open-gop=1:keyint=40"),
    "intra-refresh": ("-c:v", "libx264", "-preset", "ultrafast", "-x264-params", "intra-refresh=1"),
    "baseline": ("-c:v", "libx264", "-profile:v", "baseline", "-g", "25"),
    "hevc": ("-c:v", "libx265", "-preset", "ultrafast", "-x265-params", "log-level=error"),
    "hevc-open-gop": (
        "-c:v", "libx265", "-preset", "veryfast", "-x265-params",
        "log-level=error:open-gop=1:keyint=30:bframes=4",
    ),
    "vp8": videos.VP8_LIVE,
    "vp8-hidden": ("-c:v", "libvpx", "-auto-alt-ref", "1", "-lag-in-frames", "16", "-b:v", "300k"),
    "vp9": videos.VP9,
    "av1": videos.AV1,
    "mpeg2": ("-c:v", "mpeg2video", "-bf", "2"),
    "mpeg4": videos.MPEG4,
}  # fmt: skip


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize("pick", [two_a_second, lambda times_s: np.array([60, 61, 170])],
                         ids=["regular", "few"])  # fmt: skip
def test_of_any_codec(name, pick, tmp_path):
    path = videos.make_numbered(
        tmp_path / f"{name}.mkv", n_frames=200, size_px=(160, 120), codec=CODECS[name]
    )
    with_skipping, without, _ = decoded(path, pick)
    assert with_skipping.keys() == without.keys()
    for tick, picture in without.items():
        np.testing.assert_array_equal(with_skipping[tick], picture)


def test_much_is_skipped(tmp_path):
    path = videos.make_numbered(
        tmp_path / "phone.mp4",
        n_frames=250,
        codec=("-c:v", "libx264", "-bf", "0", "-g", "25"),
        options=("-sc_threshold", "0"),
    )
    *_, n_out = decoded(path, lambda times_s: np.array([26, 30, 130]))
    groups = 6 + 6  # of two groups of 25, each up to its last wanted picture
    assert n_out == groups + 3  # and the key frames between, which show when the size changes
