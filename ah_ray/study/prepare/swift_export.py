"""A labelled manifest as ms-swift's JSONL: one chat per window, for those who train with it.

    {"messages": [system, user, assistant], "videos": [clip.mp4], "audios": [clip.wav],
     "ah_ray": {what the manifest knows of the window}}

A trainer takes a whole file, so each split has its own: FILE is train; val and test lie beside it
(windows.jsonl, windows.val.jsonl, windows.test.jsonl), and windows.swift.json, which says for which
ms-swift they are and with which profile its models are to be scored. ms-swift shows a model all of
a video, so the window that it learns from must be cut out (`--cut-clips`); without that, the
file is for readers that know `ah_ray`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from tempfile import TemporaryFile
from typing import Any

import pyarrow as pa
from rich.console import Console

from ah_ray import storage
from ah_ray.config import Limits
from ah_ray.errors import VideoError
from ah_ray.installation import ah_ray_version
from ah_ray.media.ffmpeg.clip_files import write_clip
from ah_ray.media.sandbox.open_files import name_of
from ah_ray.omni.weights.swift_record import load_profile_of_version
from ah_ray.profile import Profile, load_profile
from ah_ray.study.label_errors import Fault, Faults, Place
from ah_ray.study.labelled_manifest import SPLITS
from ah_ray.study.parallel import in_threads, progress
from ah_ray.study.prepare.durations import opened

OWN_KEY = "ah_ray"
_OF_VIDEO = (
    *("label", "duration_s", "segments", "content", "selection", "weight"),
    *("annotators", "certainty", "cues", "marks"),
)
"""What a line says of its video. Demographics and transcripts are not exported."""
PROMPT_PROFILE = "seed"
SLOTS = ("<video>", "<audio>")
_THREADS = 4  # each is an encoder
Row = dict[str, Any]
Key = tuple[str, int]  # video_id, window_index
Files = tuple[str, str]  # of one window: what is seen, what is heard


def split_files(uri: str) -> dict[str, str]:
    """Where each split goes, for an export to `uri`."""
    stem = uri.removesuffix(".jsonl")
    ending = uri[len(stem) :]
    beside = {split: f"{stem}.{split}{ending}" for split in SPLITS[1:]}
    return {SPLITS[0]: uri, **beside}


def about_file(uri: str) -> str:
    """Return where an export to `uri` says for which ms-swift it is."""
    return f"{uri.removesuffix('.jsonl')}.swift.json"


def about_export(swift_version: str, answers: pa.Table | None = None) -> dict[str, Any]:
    """Return what an export for this version of ms-swift says of itself.

    The lines are the same for every version; what a model trained on them must be shown is not.
    Labels of a profile's questions, `answers`, are left out: a line asks the first question.
    """
    names = [] if answers is None else answers["question"].to_pylist()
    left_out = {name: names.count(name) for name in sorted(set(names))}
    return {
        **({"labels_left_out": left_out} if left_out else {}),
        "ms_swift": swift_version,
        "scored_with_profile": load_profile_of_version(swift_version).name,
        "prompt_of_profile": PROMPT_PROFILE,
        "ah_ray_version": ah_ray_version(),
    }


def export(
    windows: pa.Table,
    videos: pa.Table,
    uri: str,
    clips: Mapping[Key, Files],
    about: Mapping[str, Any],
) -> int:
    """Write the JSONL of each split that has windows, and what they are for: `about_export`.

    `clips` are cut files by (video_id, window_index); what is not in it is named as a whole video.
    Return how many splits were written.
    """
    profile = load_profile(PROMPT_PROFILE)
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
    text = json.dumps(about, indent=2) + "\n"
    storage.write_whole(about_file(storage.normalise(uri)), text.encode())
    return written


def user_text(profile: Profile, question: str | None) -> str:
    """What the user says: the profile's prompt, or a question with the clip before it."""
    if question is None:
        return profile.user
    return "".join(slot for slot in SLOTS if slot not in question) + question


def _line(row: Row, video: Row, profile: Profile, clips: Mapping[Key, Files]) -> Row:
    seen, heard = clips.get((row["video_id"], row["window_index"]), (row["uri"], row["uri"]))
    own = {name: value for name, value in row.items() if name != "label"}
    own["video"] = {name: video[name] for name in _OF_VIDEO}
    return {
        "messages": [
            {"role": "system", "content": profile.system},
            {"role": "user", "content": user_text(profile, row["question"])},
            {"role": "assistant", "content": profile.answer_text(bool(row["label"]))},
        ],
        "videos": [seen],
        "audios": [heard],
        OWN_KEY: own,
    }


def cut_clips(windows: pa.Table, folder: str, console: Console) -> dict[Key, Files]:
    """Every window as mp4 and wav below `folder`, called after the video's id.

    Raise FaultyInput with all windows that cannot be decoded, StorageError.
    """
    folder = storage.normalise(folder)
    by_video: dict[str, list[Row]] = {}
    for row in windows.to_pylist():
        by_video.setdefault(row["uri"], []).append(row)
    clips: dict[Key, Files] = {}
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


def _cut(rows: Sequence[Row], folder: str) -> dict[Key, Files] | Fault:
    """The windows of one video, or why there are none."""
    clips = {}
    limits, span = Limits(), "the video"
    try:
        with (
            opened(rows[0]["uri"], limits) as source,
            TemporaryFile() as mp4,  # clips of people have no name on this machine's disk
            TemporaryFile() as wav,
        ):
            for row in rows:
                start_s, end_s = row["start_s"], row["end_s"]
                span = f"{start_s:g} – {end_s:g} s"
                write_clip(source, start_s=start_s, end_s=end_s, mp4=mp4, wav=wav, limits=limits)
                name = f"{row['video_id']}-{row['window_index']:04d}"
                files = (storage.join(folder, f"{name}.mp4"), storage.join(folder, f"{name}.wav"))
                storage.write_file(files[0], name_of(mp4))
                storage.write_file(files[1], name_of(wav))
                clips[row["video_id"], row["window_index"]] = files
    except VideoError as error:
        return Fault(
            place=Place(file=rows[0]["uri"]),
            problem=f"{span} cannot be cut: {error}",
            remedy=f"take the video out of the labels, or {error.kind.remedy}",
        )
    return clips
