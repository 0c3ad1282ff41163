"""A small invented cohort, as cohorts are: good recordings, odd ones, damaged ones."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

from ah_ray.media.ffmpeg import ffmpeg_path
from ah_ray.media.synthetic import random_scenes, write_video


def make_cohort(folder: Path) -> int:
    """Writes the recordings that `folder` does not hold yet; returns how many it wrote."""
    folder.mkdir(parents=True, exist_ok=True)
    written = 0
    for name, make in _RECORDINGS.items():
        path = folder / name
        if not path.exists():
            path.parent.mkdir(exist_ok=True)
            partial = path.with_name(
                f".{path.name}"
            )  # a run that is killed leaves no half recording
            make(partial)
            partial.rename(path)
            written += 1
    return written


def drawn_answers(name: str) -> list[bool]:
    """Whether each scene of a plain recording of faces shows A/H; none of any other."""
    return [scene.shows_ah for scene in random_scenes(*_FACES[name])] if name in _FACES else []


def _faces(n_scenes: int, seed: int) -> Callable[[Path], None]:
    return lambda path: write_video(path, random_scenes(n_scenes, seed))


def _remade(seed: int, *options: str, reading: tuple[str, ...] = ()) -> Callable[[Path], None]:
    """A recording of faces, put through ffmpeg once more; `reading` are options of its input."""

    def make(path: Path) -> None:
        source = path.with_suffix(".source.mp4")
        write_video(source, random_scenes(2, seed))
        quiet = ("-nostdin", "-loglevel", "error", "-y")
        command = [ffmpeg_path(), *quiet, *reading, "-i", f"file:{source}", *options]
        subprocess.run([*command, f"file:{path}"], check=True)
        source.unlink()

    return make


def _live(path: Path) -> None:
    """As a browser records: WebM whose header knows no duration."""
    source = path.with_suffix(".source.mp4")
    write_video(source, random_scenes(2, seed=21))
    command = [
        ffmpeg_path(), "-nostdin", "-loglevel", "error", "-i", f"file:{source}",
        "-c:v", "libvpx", "-deadline", "realtime", "-cpu-used", "8", "-c:a", "libopus",
        "-f", "webm", "-live", "1", "pipe:1",
    ]  # fmt: skip
    with path.open("wb") as target:
        subprocess.run(command, check=True, stdout=target)
    source.unlink()


def _cut_short(path: Path) -> None:
    """An upload that broke off: the header promises more than there is."""
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
_RECORDINGS: dict[str, Callable[[Path], None]] = {
    **{name: _faces(*scenes) for name, scenes in _FACES.items()},
    "visit-02/browser.webm": _live,
    "visit-02/upright.mp4": _remade(22, "-c", "copy", reading=("-display_rotation", "90")),
    "visit-03/no sound.mp4": _remade(23, "-c:v", "copy", "-an"),
    "visit-03/frozen picture.mp4": _remade(
        24, "-vf", "loop=loop=-1:size=1:start=0", "-frames:v", "150", "-shortest"
    ),
    "visit-03/broken upload.mp4": _cut_short,
    "visit-03/sound only.mp4": _remade(25, "-vn", "-c:a", "copy"),
    "visit-03/empty.mp4": lambda path: path.write_bytes(b""),
    "visit-03/a letter.mp4": lambda path: path.write_text("Dear study team, …\n" * 40),
    "visit-03/playlist.mp4": lambda path: path.write_text(_PLAYLIST),
    "visit-03/notes.txt": lambda path: path.write_text("Participant was late.\n"),
}
