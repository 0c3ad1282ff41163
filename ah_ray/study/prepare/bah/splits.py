"""BAH's split files: lines `path,label,transcript` in train.txt, val.txt and test.txt.

A transcript holds commas and a path holds blanks, so a line is split at its first two commas and
nowhere else. Transcripts are not kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ah_ray import storage
from ah_ray.errors import ConfigError
from ah_ray.study.label_errors import Faults, Place
from ah_ray.study.label_values import label_of
from ah_ray.study.source_files import read_source

_NAMES = {"train": ("train",), "val": ("val", "valid", "validation"), "test": ("test",)}
_ENDINGS = (".txt", ".csv")
_FOLDERS = ("split", "splits", "")


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitLine:
    """One video of a split. `label` is null where it is not valid, which is reported already."""

    split: str
    path: str  # within the data set
    label: int | None
    place: Place


def read_splits(
    root: str, folder: str | None, path_of: Callable[[str], str], faults: Faults
) -> list[SplitLine]:
    """Return all lines of all split files, in order. Raise ConfigError if there is no such file.

    `path_of` turns a path as it is written into one within the data set.
    """
    looked = [storage.normalise(folder)] if folder else [_below(root, name) for name in _FOLDERS]
    for place in looked:
        files = {split: _find(place, names) for split, names in _NAMES.items()}
        if any(files.values()):
            return [
                line
                for split, uri in files.items()
                if uri is not None
                for line in _lines(split, uri, path_of, faults)
            ]
    raise ConfigError(
        f"no train.txt, val.txt or test.txt in {' or '.join(looked)}: name their folder with "
        "--splits"
    )


def _below(root: str, name: str) -> str:
    return storage.join(root, name) if name else root


def _find(folder: str, names: tuple[str, ...]) -> str | None:
    uris = (storage.join(folder, name + ending) for name in names for ending in _ENDINGS)
    return next((uri for uri in uris if storage.exists(uri)), None)


def _lines(
    split: str, uri: str, path_of: Callable[[str], str], faults: Faults
) -> Iterator[SplitLine]:
    text = read_source(uri).decode("utf-8-sig", "replace")
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        place = Place(file=uri, line=number)
        path, *rest = line.split(",", 2)
        path = path.strip()
        if number == 1 and rest and rest[0].strip().lower() == "label":
            continue  # a header
        if not path or not rest:
            problem = "it is not `path,label,transcript`"
            faults.add(place, problem, "write one such line per video", video=str(place))
            continue
        if "\ufffd" in path:
            faults.add(place, "the path is not UTF-8", "save the file as UTF-8", video=str(place))
            continue
        path = path_of(path)
        label = label_of(rest[0])
        if label is None:
            problem = f"the label {rest[0].strip()!r} is unknown"
            faults.add(place, problem, "write 0 or 1", video=path)
        yield SplitLine(split=split, path=path, label=label, place=place)
