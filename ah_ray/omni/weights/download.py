"""Copy a model from an object store to this node's disk, once for all replicas."""

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
from ah_ray.file_lock import hold_file_lock, is_locked
from ah_ray.interfaces.callbacks import MessageCallback
from ah_ray.omni.weights.adapter import read_adapter
from ah_ray.omni.weights.checkpoint import find_checkpoint, fingerprint
from ah_ray.omni.weights.model_files import Folder, open_folder

_SUFFIXES = (".safetensors", ".json", ".txt", ".jinja")
_FILES_AT_ONCE = 6
_STREAMS_OF_FILE = 5  # 30 connections: a store sends some tens of MB/s over each
_REPORT_EVERY_S = 10.0


def fetch_checkpoint(
    model: str,
    cache: Path | None = None,
    on_message: MessageCallback = print,
    *,
    expected_fingerprint: str | None = None,
) -> Path:
    """Return the directory of a model on this machine's disk, copied if it is in an object store.

    The copy goes to `cache` (default: `~/.cache/ah_ray/models`), under a name that depends on the
    version of every file, so a changed model is copied again. Processes that ask at the same time
    wait for one copy; an interrupted copy continues with the files that it lacks. `on_message`
    receives size, time and rate. Raise ConfigError if it is not a model, does not fit on the disk,
    or differs from `expected_fingerprint` (it was replaced during a run).
    """
    place: Path | str = find_checkpoint(model)
    if not isinstance(place, Path):
        place = _fetch(place, cache, on_message)
        find_checkpoint(str(place))
    if expected_fingerprint not in (None, fingerprint(place)):
        raise ConfigError(f"--model {model} has changed since this run began; start it again")
    return place


def fetch_adapter(
    adapter: str, cache: Path | None = None, on_message: MessageCallback = print
) -> Path:
    """Return the directory of an adapter in the same way.

    Raise ConfigError if it cannot be merged.
    """
    if storage.scheme(adapter) == "file":
        path = Path(adapter).expanduser()
    else:
        path = _fetch(storage.normalise(adapter).rstrip("/"), cache, on_message)
    return read_adapter(path).path


def _fetch(place: str, cache: Path | None, on_message: MessageCallback) -> Path:
    folder = open_folder(place)
    names = [name for name in sorted(folder.files) if name.endswith(_SUFFIXES)]
    cache = cache or Path(os.environ.get("XDG_CACHE_HOME", "~/.cache")) / "ah_ray" / "models"
    target = cache.expanduser() / f"{place.rpartition('/')[2]}-{_hash_version(folder)}"
    if _is_complete(folder, names, target):
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with hold_file_lock(
            target, lambda: on_message(f"waiting for another process to copy {place}")
        ):
            if not _is_complete(folder, names, target):
                _copy_files(folder, names, target, on_message)
    except OSError as error:
        raise ConfigError(
            f"{target}: {error.strerror}; name another cache directory (--model-cache)"
        ) from error
    return target


def _hash_version(folder: Folder) -> str:
    text = "\n".join(f"{name} {entry.etag}" for name, entry in sorted(folder.files.items()))
    return hashlib.sha256(f"{folder.place}\n{text}".encode()).hexdigest()[:8]


def _is_complete(folder: Folder, names: Sequence[str], directory: Path) -> bool:
    return all(_is_copied(folder, name, directory) for name in names)


def _is_copied(folder: Folder, name: str, directory: Path) -> bool:
    path = directory / name
    return path.is_file() and path.stat().st_size == folder.size_bytes(name)


def _copy_files(
    folder: Folder, names: Sequence[str], target: Path, on_message: MessageCallback
) -> None:
    """Copy into a directory beside the target, which is renamed when it is complete."""
    _remove_abandoned(target)
    partial = target.with_name(f".{target.name}.partial")
    partial.mkdir(exist_ok=True)
    left = [name for name in names if not _is_copied(folder, name, partial)]
    size = sum(folder.size_bytes(name) for name in left)
    for stale in partial.glob("*.part"):
        stale.unlink()
    if (free := shutil.disk_usage(partial).free) < size:
        raise ConfigError(
            f"{folder.place} takes {size / 1e9:.1f} GB and {partial.parent} has {free / 1e9:.1f} "
            "GB left; make room, or name another cache directory"
        )
    on_message(f"copying {folder.place} to {target}: {len(left)} files, {size / 1e9:.2f} GB")
    began = time.monotonic()
    with ThreadPoolExecutor(_FILES_AT_ONCE) as threads:
        copies = [threads.submit(_copy_file, folder, name, partial) for name in left]
        _report_progress(copies, lambda: _count_bytes(left, partial), size, began, on_message)
    seconds = max(time.monotonic() - began, 1e-3)
    shutil.rmtree(target, ignore_errors=True)  # what is there is not whole
    partial.rename(target)
    on_message(f"copied {size / 1e9:.2f} GB in {seconds:.1f} s, {size / 1e6 / seconds:.0f} MB/s")


def _remove_abandoned(target: Path) -> None:
    """Remove unfinished copies of other models, or versions, that no process works on."""
    for partial in target.parent.glob(".*.partial"):
        other = partial.name.removeprefix(".").removesuffix(".partial")
        if other != target.name and not is_locked(target.with_name(other)):
            shutil.rmtree(partial, ignore_errors=True)


def _copy_file(folder: Folder, name: str, partial: Path) -> None:
    """Copy exactly the listed version of a file, or raise a storage error."""
    entry = folder.files[name]
    unfinished = partial / f"{name}.part"
    storage.download(
        entry.uri,
        unfinished,
        etag=entry.etag,
        size_bytes=entry.size_bytes,
        n_streams=_STREAMS_OF_FILE,
    )
    unfinished.rename(partial / name)


def _report_progress(
    copies: Sequence[Future[None]],
    done: Callable[[], int],
    size: int,
    began: float,
    on_message: MessageCallback,
) -> None:
    """Report progress until all copies are finished; the first error cancels the rest."""
    left, reported = set(copies), began
    while left:
        finished, left = wait(left, timeout=1.0, return_when=FIRST_EXCEPTION)
        try:
            for copy in finished:
                copy.result()
        except BaseException:
            for copy in left:
                copy.cancel()
            raise
        now = time.monotonic()
        if left and now - reported >= _REPORT_EVERY_S:
            reported, n_bytes, seconds = now, done(), now - began
            rate = n_bytes / seconds
            on_message(
                f"copied {n_bytes / 1e9:.1f} of {size / 1e9:.1f} GB in {seconds:.0f} s, "
                f"{rate / 1e6:.0f} MB/s, {(size - n_bytes) / max(rate, 1):.0f} s left"
            )


def _count_bytes(names: Sequence[str], partial: Path) -> int:
    paths = (partial / name for file in names for name in (file, f"{file}.part"))
    # What is on the disk: the streams of a file leave holes between them.
    return sum(512 * path.stat().st_blocks for path in paths if path.is_file())
