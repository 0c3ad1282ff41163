"""Taking videos whose consent was withdrawn out of review folders and labelled manifests."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from itertools import compress, islice

import pyarrow as pa
import pyarrow.compute as pc

from ah_ray import storage
from ah_ray.errors import ConfigError, StorageError
from ah_ray.study.exchange.clean_text import unguarded
from ah_ray.study.labelled_manifest import (
    PREPARED_FILE,
    fingerprint,
    read_about,
    read_labelled_answers,
    read_labelled_videos,
    read_windows,
    write_labels,
)
from ah_ray.study.prepare.prepared import describe
from ah_ray.study.review.page import PAGE_FILE, review_page
from ah_ray.study.review.sheet import SHEET_FILE

_MOST_FOLDERS = 10_000
_LOOKS_AT_ONCE = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """What a folder holds, or held, of the videos that are to go."""

    folder: str
    clips: int = 0  # of a review folder
    windows: int = 0  # of a labelled manifest

    def __bool__(self) -> bool:
        return bool(self.clips or self.windows)


def held_in(folder: str, video_ids: Collection[str], uris: Collection[str]) -> Held:
    """Count what a folder of jobs/clips.py or jobs/prepare.py holds of these videos.

    Raise ConfigError if it is neither, StorageError.
    """
    return _take(storage.normalise(folder), video_ids, uris, remove=False)


def remove_from(folder: str, video_ids: Collection[str], uris: Collection[str]) -> Held:
    """Remove these videos from such a folder: clips and rows of the sheet, or labels.

    The description of a labelled manifest gets its new fingerprint and counts. Raise as `held_in`
    does.
    """
    return _take(storage.normalise(folder), video_ids, uris, remove=True)


def _folders_beside(out: str) -> list[str]:
    """Return the review folders and labelled manifests that lie beside OUT.

    Each folder there is asked for two objects, so in a place with very many folders, such as a
    bucket with one for each participant, only the first _MOST_FOLDERS are looked into.
    """
    place = storage.parent(storage.normalise(out).rstrip("/"))
    if storage.scheme(place) != storage.scheme(out):
        return []  # OUT is a whole bucket: nothing lies beside it
    names = islice(storage.list_folders(place), _MOST_FOLDERS)
    folders = [storage.join(place, name) for name in names]
    with ThreadPoolExecutor(_LOOKS_AT_ONCE) as pool:
        return list(compress(folders, pool.map(_is_one, folders)))


def _is_one(folder: str) -> bool:
    try:
        return any(
            storage.exists(storage.join(folder, name)) for name in (SHEET_FILE, PREPARED_FILE)
        )
    except StorageError:
        return False


def _take(folder: str, video_ids: Collection[str], uris: Collection[str], *, remove: bool) -> Held:
    if storage.exists(storage.join(folder, SHEET_FILE)):
        return _of_review(folder, video_ids, remove=remove)
    if storage.exists(storage.join(folder, PREPARED_FILE)):
        return _of_labels(folder, video_ids, uris, remove=remove)
    raise ConfigError(
        f"--also {folder}: it has neither {SHEET_FILE} nor {PREPARED_FILE}; give a folder that "
        "jobs/clips.py or jobs/prepare.py made"
    )


def _of_review(folder: str, video_ids: Collection[str], *, remove: bool) -> Held:
    sheet = storage.join(folder, SHEET_FILE)
    reader = csv.DictReader(io.StringIO(storage.read_bytes(sheet).decode("utf-8-sig"), newline=""))
    rows = list(reader)
    gone = [row for row in rows if unguarded(row.get("video_id") or "") in video_ids]
    if gone and remove:
        storage.remove(storage.join(folder, unguarded(row["clip"])) for row in gone)
        kept = [row for row in rows if row not in gone]
        text = io.StringIO()
        writer = csv.DictWriter(text, reader.fieldnames or (), lineterminator="\r\n")
        writer.writeheader()
        writer.writerows(kept)
        storage.write_whole(sheet, b"\xef\xbb\xbf" + text.getvalue().encode())
        plain = [{name: unguarded(cell or "") for name, cell in row.items()} for row in kept]
        page = storage.join(folder, PAGE_FILE)
        if plain:
            storage.write_whole(page, review_page(plain).encode())
        else:
            storage.remove([page])
    return Held(folder=folder, clips=len(gone))


def _of_labels(
    folder: str, video_ids: Collection[str], uris: Collection[str], *, remove: bool
) -> Held:
    about, windows, videos = read_about(folder), read_windows(folder), read_labelled_videos(folder)
    left = _without(windows, video_ids, uris), _without(videos, video_ids, uris)
    n_gone = max(len(windows) - len(left[0]), len(videos) - len(left[1]))
    if n_gone and remove:
        answers = read_labelled_answers(folder)
        answers = answers.filter(pc.is_in(answers["video_id"], left[1]["video_id"]))
        counts = describe(*left, about.get("left_out") or {}, answers)
        about.pop("questions", None)
        about = {**about, "data_fingerprint": fingerprint(*left, answers), **counts}
        write_labels(folder, *left, about, answers=answers)
    return Held(folder=folder, windows=n_gone)


def _without(table: pa.Table, video_ids: Collection[str], uris: Collection[str]) -> pa.Table:
    is_one = pc.or_(
        pc.is_in(table["video_id"], pa.array(sorted(video_ids), pa.string())),
        pc.is_in(table["uri"], pa.array(sorted(uris), pa.string())),
    )
    return table.filter(pc.invert(is_one))


def held_beside(out: str, video_ids: Collection[str], uris: Collection[str]) -> list[Held]:
    """Return what folders beside OUT hold of these videos; those that are damaged are left out."""
    found: list[Held] = []
    folders: list[str] = []
    with suppress(StorageError):  # the place may not be listed
        folders = _folders_beside(out)
    for folder in folders:
        with suppress(ConfigError, StorageError, UnicodeDecodeError, csv.Error):
            found.append(held_in(folder, video_ids, uris))
    return [held for held in found if held]
