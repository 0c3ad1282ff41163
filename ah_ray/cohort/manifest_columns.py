"""The columns of a manifest that say more about a video: whose it is, and which groups it is in.

They change no score, so they take no part in what is pending.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from ah_ray.cohort.participant_names import pseudonym
from ah_ray.errors import ConfigError
from ah_ray.records import DESCRIBED_BY, Groups, Video

MAX_CHARACTERS = 1_000
"""Of one value: it stands in every table, and in the report."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


def check_group_columns(uri: str, names: Collection[str], keep: Sequence[str]) -> None:
    """Raise ConfigError if the manifest lacks a column of --group-by."""
    missing = [name for name in keep if name not in names and name not in DESCRIBED_BY]
    if missing:
        raise ConfigError(f"--group-by {missing[0]}: {uri} has no such column")


def is_text_or_number(kind: pa.DataType) -> bool:
    """Return whether a column of this type can say something about videos: text, or integers."""
    text = kind.value_type if pa.types.is_dictionary(kind) else kind
    return bool(
        pa.types.is_string(text)
        or pa.types.is_large_string(text)
        or pa.types.is_integer(text)
        or pa.types.is_null(text)
    )


def parse_columns(row: Mapping[str, object], keep: Sequence[str]) -> dict[str, Any]:
    """Return participant, visit, question and groups of one entry; null where nothing is written.

    Raise ConfigError with the problem and the remedy.
    """
    values = {name: _parse(name, row.get(name)) for name in keep}
    found: dict[str, Any] = {name: values.pop(name, None) for name in DESCRIBED_BY}
    groups: Groups = tuple((name, value) for name, value in values.items() if value is not None)
    return found | {"groups": groups or None}


def _parse(name: str, value: object) -> str | None:
    text = "" if value is None else str(value).strip()
    if len(text) > MAX_CHARACTERS:
        raise ConfigError(
            f"{name} has {len(text):,} characters; {MAX_CHARACTERS:,} are the most that are kept"
        )
    if _CONTROL.search(text):
        raise ConfigError(f"{name} {text[:100]!r} holds a control character; remove it")
    return text or None


def hide_participants(videos: Iterable[Video], source: str, id_key: bytes | None) -> list[Video]:
    """Return the videos with pseudonyms in place of participants, as jobs/prepare.py makes them.

    Raise ConfigError if there are participants and no key: a plain hash of a name can be guessed.
    """
    hidden = []
    for video in videos:
        if video.participant is not None:
            if id_key is None:
                raise ConfigError(
                    f"--hide-uris: {source} names participants, who need pseudonyms: give --id-key "
                    "FILE (16 bytes or more that nobody can guess), or leave out its column "
                    "participant"
                )
            video = replace(video, participant=pseudonym(video.participant, id_key))
        hidden.append(video)
    return hidden
