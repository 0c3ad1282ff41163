"""A model from an object store, on this node's disk: copied once, by whichever replica is first."""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, ThreadPoolExecutor, wait
from pathlib import Path

from ah_ray import storage
from ah_ray.errors import ConfigError
from ah_ray.omni.adapter import read_adapter
from ah_ray.omni.checkpoint import find_checkpoint, fingerprint
from ah_ray.omni.folder import Folder, open_folder
from ah_ray.omni.turns import one_at_a_time

_WANTED = (".safetensors", ".json", ".txt", ".jinja")
_STREAMS = 8  # files at a time
_SAY_EVERY_S = 10.0

Say = Callable[[str], None]


def local_checkpoint(
    model: str,
    cache: Path | None = None,
    say: Say = print,
    *,
    expected_fingerprint: str | None = None,
) -> Path:
    """The directory of a model on this machine's disk, copied there if it is in an object store.

    The copy goes to `cache` (default: `~/.cache/ah_ray/models`), under a name that holds the
    version of every file, so a changed model is copied anew. Processes that ask at the same time
    wait for one copy; a copy that was broken off goes on with the files that it lacks. `say` is
    told of size, time and rate. Raises ConfigError if it is no model, does not fit on the disk, or
    is another than the expected one (it was replaced while a run went on).
    """
    place = find_checkpoint(model)
    if not isinstance(place, Path):
        place = find_checkpoint(str(_copied(place, cache, say)))
    if expected_fingerprint not in (None, fingerprint(place)):
        raise ConfigError(f"--model {model} has changed since this run began; start it again")
    return place


def local_adapter(adapter: str, cache: Path | None = None, say: Say = print) -> Path:
    """The same of an adapter. Raises ConfigError if it cannot be merged."""
    if storage.scheme(adapter) == "file":
        path = Path(adapter).expanduser()
    else:
        path = _copied(storage.normalise(adapter).rstrip("/"), cache, say)
    return read_adapter(path).path


def _copied(place: str, cache: Path | None, say: Say) -> Path:
    folder = open_folder(place)
    wanted = [name for name in sorted(folder.files) if name.endswith(_WANTED)]
    cache = cache or Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "ah_ray" / "models"
    target = cache.expanduser() / f"{place.rpartition('/')[2]}-{_version(folder)}"
    if _is_whole(folder, wanted, target):
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with one_at_a_time(target, lambda: say(f"waiting for another process to copy {place}")):
            if not _is_whole(folder, wanted, target):
                _copy(folder, wanted, target, say)
    except OSError as error:
        raise ConfigError(f"{target}: {error.strerror}; name another cache directory") from error
    return target


def _version(folder: Folder) -> str:
    text = "\n".join(f"{name} {entry.etag}" for name, entry in sorted(folder.files.items()))
    return hashlib.sha256(f"{folder.place}\n{text}".encode()).hexdigest()[:8]


def _is_whole(folder: Folder, wanted: Sequence[str], directory: Path) -> bool:
    return all(_is_there(folder, name, directory) for name in wanted)


def _is_there(folder: Folder, name: str, directory: Path) -> bool:
    path = directory / name
    return path.is_file() and path.stat().st_size == folder.size_bytes(name)


def _copy(folder: Folder, wanted: Sequence[str], target: Path, say: Say) -> None:
    """Into a directory beside the target, which is renamed when it is whole."""
    partial = target.with_name(f".{target.name}.partial")
    partial.mkdir(exist_ok=True)
    left = [name for name in wanted if not _is_there(folder, name, partial)]
    size = sum(folder.size_bytes(name) for name in left)
    for stale in partial.glob("*.part"):
        stale.unlink()
    if (free := shutil.disk_usage(partial).free) < size:
        raise ConfigError(
            f"{folder.place} takes {size / 1e9:.1f} GB and {partial.parent} has {free / 1e9:.1f} "
            "GB left; make room, or name another cache directory"
        )
    say(f"copying {folder.place} to {target}: {len(left)} files, {size / 1e9:.2f} GB")
    began = time.monotonic()
    with ThreadPoolExecutor(_STREAMS) as threads:
        copies = [threads.submit(_copy_file, folder, name, partial) for name in left]
        _watch(copies, lambda: _bytes_of(left, partial), size, began, say)
    seconds = max(time.monotonic() - began, 1e-3)
    shutil.rmtree(target, ignore_errors=True)  # what is there is not whole
    partial.rename(target)
    say(f"copied {size / 1e9:.2f} GB in {seconds:.1f} s, {size / 1e6 / seconds:.0f} MB/s")


def _copy_file(folder: Folder, name: str, partial: Path) -> None:
    """That very version, whole, or an error of storage."""
    entry = folder.files[name]
    unfinished = partial / f"{name}.part"
    storage.download(entry.uri, unfinished, etag=entry.etag, size_bytes=entry.size_bytes)
    unfinished.rename(partial / name)


def _watch(
    copies: Sequence[Future], done: Callable[[], int], size: int, began: float, say: Say
) -> None:
    """Says how far it is until all are through; the first error stops those not yet begun."""
    left, said = set(copies), began
    while left:
        through, left = wait(left, timeout=1.0, return_when=FIRST_EXCEPTION)
        try:
            for copy in through:
                copy.result()
        except BaseException:
            for copy in left:
                copy.cancel()
            raise
        now = time.monotonic()
        if left and now - said >= _SAY_EVERY_S:
            said, n_bytes, seconds = now, done(), now - began
            rate = n_bytes / seconds
            say(
                f"copied {n_bytes / 1e9:.1f} of {size / 1e9:.1f} GB in {seconds:.0f} s, "
                f"{rate / 1e6:.0f} MB/s, {(size - n_bytes) / max(rate, 1):.0f} s left"
            )


def _bytes_of(names: Sequence[str], partial: Path) -> int:
    paths = (partial / name for file in names for name in (file, f"{file}.part"))
    return sum(path.stat().st_size for path in paths if path.is_file())
