"""Read the files of a model or an adapter where they lie: in a directory or an object store.

Only names, small files and byte ranges are read, so a checkpoint of 63 GB can be checked and
compared with another without a copy.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from ah_ray import storage
from ah_ray.errors import ConfigError, StorageError

_PAGES = 10  # of a listing: a checkpoint has tens of files, a whole bucket may have millions
_CONNECTIONS = 32
_SMALL_BYTES = 256 << 20  # ten times the largest vocabularies and indices
_GAP_BYTES = 64 << 10  # cheaper to read than to ask for the next range

Span = tuple[int, int]
"""Bytes of a file, from start to stop."""


@dataclass(frozen=True, slots=True)
class Folder:
    """The files in one directory or at one URI, without subfolders."""

    place: Path | str  # a directory, or a URI
    files: Mapping[str, storage.Entry]

    def __contains__(self, name: str) -> bool:
        return name in self.files

    def uri(self, name: str) -> str:
        return storage.join(str(self.place), name)

    def size_bytes(self, name: str) -> int:
        return self.files[name].size_bytes or 0

    def read(self, name: str) -> bytes:
        """Return the bytes of a small file. Raise ConfigError if it is too large to be one."""
        if name in self and self.size_bytes(name) > _SMALL_BYTES:
            raise ConfigError(
                f"{self.uri(name)} has {self.size_bytes(name):,} bytes, too many for a {name} of "
                "a model; copy it again"
            )
        return storage.read_bytes(self.uri(name))

    def read_json(self, name: str) -> Any:
        """Return the content of a small JSON file. Raise ValueError if it is not JSON."""
        try:
            return json.loads(self.read(name))
        except RecursionError:
            raise ValueError("it is nested too deeply") from None

    def read_spans(self, name: str, spans: Sequence[Span]) -> list[bytes]:
        """Return these bytes of a file, in order.

        Neighbouring spans are read together, and separate reads run in parallel.
        """
        asked = sorted({span for span in spans if span[0] < span[1]})
        wider = _join_spans(asked)
        entry = self.files[name]
        if isinstance(self.place, Path):
            pieces = list(_read_local_spans(self.place / name, wider))
        else:
            with ThreadPoolExecutor(_CONNECTIONS) as threads:
                pieces = list(
                    threads.map(
                        lambda span: storage.read_range(entry.uri, *span, etag=entry.etag), wider
                    )
                )
        found = _cut_spans(wider, pieces, asked)
        return [found.get(span, b"") for span in spans]


def open_folder(place: Path | str) -> Folder:
    """Return the files of a directory or a URI. Raise ConfigError if it cannot be listed."""
    if isinstance(place, Path):
        children = sorted(child for child in place.iterdir() if child.is_file())
        return Folder(place, {child.name: storage.stat(str(child)) for child in children})
    storage.check_readable(storage.as_folder(place))
    try:
        pages = list(islice(storage.list_pages(storage.as_folder(place)), _PAGES + 1))
    except StorageError as error:
        raise ConfigError(f"{place} cannot be listed: {error}") from error
    if len(pages) > _PAGES:
        raise ConfigError(f"{place} holds thousands of objects; name the model's own folder")
    entries = (entry for page in pages for entry in page)
    return Folder(place, {entry.key: entry for entry in entries if "/" not in entry.key})


def _read_local_spans(path: Path, spans: Sequence[Span]) -> Iterator[bytes]:
    with path.open("rb") as file:
        for start, stop in spans:
            file.seek(start)
            yield file.read(stop - start)


def _join_spans(spans: Sequence[Span]) -> list[Span]:
    """Return the fewest spans that cover all of these, sorted, without gaps over `_GAP_BYTES`."""
    joined: list[Span] = []
    for start, stop in spans:
        if joined and start - joined[-1][1] <= _GAP_BYTES:
            joined[-1] = (joined[-1][0], max(joined[-1][1], stop))
        else:
            joined.append((start, stop))
    return joined


def _cut_spans(
    wider: Sequence[Span], pieces: Sequence[bytes], spans: Sequence[Span]
) -> dict[Span, bytes]:
    """Return the bytes of each of the sorted `spans`, cut from the piece that covers it."""
    found: dict[Span, bytes] = {}
    holders = zip(wider, pieces, strict=True)
    first, last, piece = 0, -1, b""
    for start, stop in spans:
        while stop > last:
            (first, last), piece = next(holders)
        found[start, stop] = piece[start - first : stop - first]
    return found
