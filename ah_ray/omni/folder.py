"""The files of a model or an adapter, where they lie: a directory here, or in an object store.

Only names, small files and ranges are read, so a checkpoint of 63 GB can be checked and told from
another without being copied.
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

_PAGES = 10  # of a listing: a checkpoint has tens of files, a bucket given by mistake millions
_CONNECTIONS = 32
_SMALL_BYTES = 256 << 20  # the largest vocabularies and indices have a tenth
_GAP_BYTES = 64 << 10  # cheaper to read than to ask for the next range

Span = tuple[int, int]
"""Bytes of a file, from start to stop."""


@dataclass(frozen=True, slots=True)
class Folder:
    """The files at one place, none deeper."""

    place: Path | str  # a directory, or a URI
    files: Mapping[str, storage.Entry]

    def __contains__(self, name: str) -> bool:
        return name in self.files

    def uri(self, name: str) -> str:
        return storage.join(str(self.place), name)

    def size_bytes(self, name: str) -> int:
        return self.files[name].size_bytes or 0

    def read(self, name: str) -> bytes:
        """The whole of a small file. Raises ConfigError if it is none."""
        if name in self and self.size_bytes(name) > _SMALL_BYTES:
            raise ConfigError(
                f"{self.uri(name)} has {self.size_bytes(name):,} bytes, which is no {name} of a "
                "model; copy it again"
            )
        return storage.read_bytes(self.uri(name))

    def read_json(self, name: str) -> Any:
        """What a small file of JSON holds. Raises ValueError if it is none."""
        try:
            return json.loads(self.read(name))
        except RecursionError:
            raise ValueError("it is nested too deeply") from None

    def read_spans(self, name: str, spans: Sequence[Span]) -> list[bytes]:
        """Those bytes of a file, in order; neighbours come in one read, and reads side by side."""
        asked = sorted({span for span in spans if span[0] < span[1]})
        wider = _joined(asked)
        entry = self.files[name]
        if isinstance(self.place, Path):
            pieces = list(_local_spans(self.place / name, wider))
        else:
            with ThreadPoolExecutor(_CONNECTIONS) as threads:
                pieces = list(
                    threads.map(
                        lambda span: storage.read_range(entry.uri, *span, etag=entry.etag), wider
                    )
                )
        found = _cut(wider, pieces, asked)
        return [found.get(span, b"") for span in spans]


def open_folder(place: Path | str) -> Folder:
    """What lies at a directory or a URI. Raises ConfigError if it cannot be listed."""
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


def _local_spans(path: Path, spans: Sequence[Span]) -> Iterator[bytes]:
    with path.open("rb") as file:
        for start, stop in spans:
            file.seek(start)
            yield file.read(stop - start)


def _joined(spans: Sequence[Span]) -> list[Span]:
    """The fewest spans that hold all of these, sorted, and no gap of over `_GAP_BYTES`."""
    joined: list[Span] = []
    for start, stop in spans:
        if joined and start - joined[-1][1] <= _GAP_BYTES:
            joined[-1] = (joined[-1][0], max(joined[-1][1], stop))
        else:
            joined.append((start, stop))
    return joined


def _cut(
    wider: Sequence[Span], pieces: Sequence[bytes], spans: Sequence[Span]
) -> dict[Span, bytes]:
    """Each of the sorted `spans` out of the piece that holds it."""
    found: dict[Span, bytes] = {}
    holders = zip(wider, pieces, strict=True)
    first, last, piece = 0, -1, b""
    for start, stop in spans:
        while stop > last:
            (first, last), piece = next(holders)
        found[start, stop] = piece[start - first : stop - first]
    return found
