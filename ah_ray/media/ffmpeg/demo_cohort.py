"""A small invented cohort, as cohorts are: good recordings, odd ones, damaged ones."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

from ah_ray.config import Limits
from ah_ray.media.ffmpeg.ffmpeg_process import recording_input
from ah_ray.media.ffmpeg.synthetic import draw, random_scenes, write_video

Options = dict[str, Any]  # ffmpeg's, by name
Make = Callable[[Path], object]  # writes a recording


def make_cohort(folder: Path) -> int:
    """Write the recordings that `folder` does not hold yet. Return how many were written."""
    folder.mkdir(parents=True, exist_ok=True)
    written = 0
    for name, make in _RECORDINGS.items():
        path = folder / name
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            # A run that is killed must not leave half a recording under the final name.
            partial = path.with_name(f".{path.name}")
            make(partial)
            partial.rename(path)
            written += 1
    return written


def scene_answers(name: str) -> list[bool]:
    """Return whether each scene of a recording of faces shows A/H; of other recordings nothing."""
    return [scene.shows_ah for scene in random_scenes(*_FACES[name])] if name in _FACES else []


def _make_faces(n_scenes: int, seed: int) -> Make:
    return lambda path: write_video(path, random_scenes(n_scenes, seed))


def _remake_make_faces(seed: int, options: Options, *, reading: Options | None = None) -> Make:
    """Return a function that writes a recording of faces and passes it through ffmpeg again.

    `reading` are options of ffmpeg's input, `options` those of its output.
    """

    def make(path: Path) -> None:
        _remake(path, seed, reading or {}, {"f": "mp4", **options})

    return make


def _write_live(path: Path) -> None:
    """Write a WebM as browsers do: its header gives no duration."""
    fast = {"deadline": "realtime", "cpu-used": 8}
    webm = {"f": "webm", "live": 1, "c:v": "libvpx", "c:a": "libopus"}
    _remake(path, 21, {}, webm | fast)


def _remake(path: Path, seed: int, reading: Options, options: Options) -> None:
    with TemporaryFile() as drawn, path.open("w+b") as file:
        write_video(drawn, random_scenes(2, seed))
        draw(recording_input(drawn, Limits(), **reading), drawn=[drawn], file=file, **options)


def _write_cut_off(path: Path) -> None:
    """Write an upload that broke off: the header promises more than the file holds."""
    write_video(path, random_scenes(4, seed=31))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * 0.6)])


_PLAYLIST = "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nhttp://127.0.0.1:9/a.ts\n"

_FACES = {  # scenes, seed
    "visit-01/answer 1.mp4": (3, 11),
    "visit-01/answer 2.mp4": (2, 12),
    "visit-01/answer 3.mp4": (4, 13),
    "visit-02/answer 1.mp4": (2, 14),
    "visit-02/answer 2 50%.mp4": (3, 15),
}
_RECORDINGS: dict[str, Make] = {
    **{name: _make_faces(*scenes) for name, scenes in _FACES.items()},
    "visit-02/browser.webm": _write_live,
    "visit-02/upright.mp4": _remake_make_faces(22, {"c": "copy"}, reading={"display_rotation": 90}),
    "visit-03/no sound.mp4": _remake_make_faces(23, {"an": None, "c:v": "copy"}),
    "visit-03/frozen picture.mp4": _remake_make_faces(
        24, {"vf": "loop=loop=-1:size=1:start=0", "shortest": None, "frames:v": 150}
    ),
    "visit-03/broken upload.mp4": _write_cut_off,
    "visit-03/sound only.mp4": _remake_make_faces(25, {"vn": None, "c:a": "copy"}),
    "visit-03/empty.mp4": lambda path: path.write_bytes(b""),
    "visit-03/a letter.mp4": lambda path: path.write_text("Dear study team, …\n" * 40),
    "visit-03/playlist.mp4": lambda path: path.write_text(_PLAYLIST),
    "visit-03/notes.txt": lambda path: path.write_text("Participant was late.\n"),
}
