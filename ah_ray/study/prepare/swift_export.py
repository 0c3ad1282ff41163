"""A labelled manifest as ms-swift's JSONL: one chat per window, for those who train with it.

    {"messages": [system, user, assistant], "videos": [clip.mp4], "audios": [clip.wav],
     "ah_ray": {what the manifest knows of the window}}

A trainer takes a whole file, so each split has its own: FILE is train; val and test lie beside it
(windows.jsonl, windows.val.jsonl, windows.test.jsonl). ms-swift shows a model all of a video, so
what it shall learn a window from must be cut out (`--cut-clips`); without that, the file is for
readers that know `ah_ray`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow as pa
from rich.console import Console

from ah_ray import storage
from ah_ray.config import Limits
from ah_ray.errors import VideoError
from ah_ray.media.clip_files import write_clip
from ah_ray.profile import NO, YES, Profile, load_profile
from ah_ray.study.faults import Fault, Faults, Place
from ah_ray.study.labels import SPLITS
from ah_ray.study.parallel import in_threads, progress
from ah_ray.study.prepare.durations import opened

OWN_KEY = "ah_ray"
SLOTS = ("<video>", "<audio>")
_THREADS = 4  # each is an encoder
Row = dict[str, Any]
Files = tuple[str, str]  # of one window: what is seen, what is heard


def split_files(uri: str) -> dict[str, str]:
    """Where each split goes, for an export to `uri`."""
    stem = uri.removesuffix(".jsonl")
    ending = uri[len(stem) :]
    beside = {split: f"{stem}.{split}{ending}" for split in SPLITS[1:]}
    return {SPLITS[0]: uri, **beside}


def export(windows: pa.Table, videos: pa.Table, uri: str, clips: Mapping[tuple, Files]) -> int:
    """Writes the JSONL of each split that has windows; returns how many files.

    `clips` are cut files by (video_id, window_index); what is not in it is named as a whole video.
    """
    profile = load_profile("seed")
    facts = {row["video_id"]: row for row in videos.to_pylist()}
    rows = windows.to_pylist()
    written = 0
    for split, target in split_files(storage.normalise(uri)).items():
        lines = [
            json.dumps(_line(row, facts[row["video_id"]], profile, clips), ensure_ascii=False)
            for row in rows
            if row["split"] == split
        ]
        if lines:
            storage.write_whole(target, ("\n".join(lines) + "\n").encode())
            written += 1
        else:
            storage.remove([target])  # of an export before: it would be read back with the others
    return written


def user_text(profile: Profile, question: str | None) -> str:
    """What the user says: the profile's prompt, or a question with the clip before it."""
    if question is None:
        return profile.user
    return "".join(slot for slot in SLOTS if slot not in question) + question


def _line(row: Row, video: Row, profile: Profile, clips: Mapping[tuple, Files]) -> Row:
    seen, heard = clips.get((row["video_id"], row["window_index"]), (row["uri"], row["uri"]))
    own = {name: value for name, value in row.items() if name != "label"}
    own["video"] = {name: video[name] for name in ("label", "duration_s", "segments")}
    return {
        "messages": [
            {"role": "system", "content": profile.system},
            {"role": "user", "content": user_text(profile, row["question"])},
            {"role": "assistant", "content": YES if row["label"] else NO},
        ],
        "videos": [seen],
        "audios": [heard],
        OWN_KEY: own,
    }


def cut_clips(windows: pa.Table, folder: str, console: Console) -> dict[tuple, Files]:
    """Every window as mp4 and wav below `folder`, called after the video's id.

    Raises FaultyInput with all windows that cannot be decoded, StorageError.
    """
    folder = storage.normalise(folder)
    by_video: dict[str, list[Row]] = {}
    for row in windows.to_pylist():
        by_video.setdefault(row["uri"], []).append(row)
    clips: dict[tuple, Files] = {}
    faults = Faults()
    with progress("cutting videos", len(by_video), console) as advance:
        for cut in in_threads(_THREADS, lambda rows: _cut(rows, folder), by_video.values()):
            advance()
            if isinstance(cut, Fault):
                faults.found.append(cut)
            else:
                clips |= cut
    faults.raise_any(skip_faulty=False)
    return clips


def _cut(rows: Sequence[Row], folder: str) -> dict[tuple, Files] | Fault:
    """The windows of one video, or why there are none."""
    clips = {}
    limits, span = Limits(), "the video"
    try:
        with opened(rows[0]["uri"], limits) as source, TemporaryDirectory(prefix="ah_ray-") as own:
            mp4, wav = Path(own) / "clip.mp4", Path(own) / "clip.wav"
            for row in rows:
                start_s, end_s = row["start_s"], row["end_s"]
                span = f"{start_s:g} – {end_s:g} s"
                write_clip(source, start_s=start_s, end_s=end_s, mp4=mp4, wav=wav, limits=limits)
                name = f"{row['video_id']}-{row['window_index']:04d}"
                files = (storage.join(folder, f"{name}.mp4"), storage.join(folder, f"{name}.wav"))
                storage.write_file(files[0], mp4)
                storage.write_file(files[1], wav)
                clips[row["video_id"], row["window_index"]] = files
    except VideoError as error:
        return Fault(
            place=Place(file=rows[0]["uri"]),
            problem=f"{span} cannot be cut: {error}",
            mend=f"take the video out of the labels, or {error.kind.mend}",
        )
    return clips
