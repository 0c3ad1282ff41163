"""Check that an adapter belongs to the base that it is used with.

An adapter is a difference from one model. Added to another model of the same sizes it fits
everywhere and means nothing. So the records of its base are compared with the base at hand:

    training.json           of this project: the base's fingerprint
    adapter_config.json     of peft: a path, a name in a hub, or the name of a folder
    merge.json of the base  which adapters were merged into it already
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ah_ray.errors import ConfigError, StorageError
from ah_ray.omni.weights.adapter import Adapter
from ah_ray.omni.weights.checkpoint import find_checkpoint, fingerprint
from ah_ray.omni.weights.model_files import Folder, open_folder
from ah_ray.omni.weights.weight_comparison import have_same_weights

MERGE_RECORD = "merge.json"
TRAINING_RECORD = "training.json"
_MEANT = "if you want this, give --any-base"


def check_base(
    base: Path | str, adapters: Sequence[Adapter], *, base_fingerprint: str | None = None
) -> None:
    """Raise ConfigError if an adapter's record names another base, or if one is merged twice.

    Adapters are merged in order: one may have been trained on the base with earlier ones merged in.
    Pass `base_fingerprint` if it is known, so that it is not computed again.
    """
    folder = open_folder(base)
    merged_from = read_json_record(folder, MERGE_RECORD)
    own = base_fingerprint or fingerprint(base)
    done = dict(_list_merged_adapters(merged_from))
    for place, adapter in enumerate(adapters):
        _check_not_merged(adapter, done)
        before = adapters[:place]
        _check_recorded_base(folder, own, merged_from, adapter, before)
        done[adapter.fingerprint()] = adapter.name


def read_json_record(folder: Folder, name: str) -> dict[str, Any]:
    """Return the fields of a JSON file beside the weights; {} if it is absent or damaged."""
    if name not in folder:
        return {}
    try:
        record = folder.read_json(name)
    except (ValueError, StorageError):
        return {}
    return record if isinstance(record, dict) else {}


def _list_merged_adapters(record: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield (fingerprint, name) of all adapters that were ever merged into a model."""
    while record:
        for adapter in _get_adapters(record):
            yield str(adapter.get("fingerprint")), str(adapter.get("name"))
        record = _get_part(_get_part(record, "base"), "merged_from")


def _get_adapters(record: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    found = record.get("adapters")
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def _get_part(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a mapping inside a record, or {} if it is something else: people may edit records."""
    part = record.get(name)
    return part if isinstance(part, dict) else {}


def _check_not_merged(adapter: Adapter, done: Mapping[str, str]) -> None:
    if (name := done.get(adapter.fingerprint())) is not None:
        raise ConfigError(
            f"--adapter {adapter.path}: it is in the model already (as {name!r}), and would count "
            f"twice; leave it out, or {_MEANT}"
        )


def _check_recorded_base(
    folder: Folder,
    own: str,
    merged_from: Mapping[str, Any],
    adapter: Adapter,
    before: Sequence[Adapter],
) -> None:
    record = _get_part(read_json_record(open_folder(adapter.path), TRAINING_RECORD), "base")
    if isinstance(record.get("fingerprint"), str):
        if record["fingerprint"] != own and not _is_made_of(record, own, before):
            raise _make_base_error(
                adapter, f"{record.get('name')} (fingerprint {record['fingerprint']})", folder, own
            )
        return
    recorded = adapter.config.get("base_model_name_or_path")
    if not isinstance(recorded, str) or not recorded.strip():
        return
    there = Path(recorded).expanduser()
    if there.is_absolute() and (there / "config.json").is_file():
        if not _is_same(there, folder):
            raise _make_base_error(adapter, recorded, folder, own)
    elif not _may_be_named(recorded, folder, merged_from):
        raise _make_base_error(adapter, recorded, folder, own)


def _is_made_of(record: Mapping[str, Any], own: str, before: Sequence[Adapter]) -> bool:
    """Return whether the recorded base is this one with the earlier adapters merged in."""
    made = _get_part(record, "merged_from")
    theirs = [adapter.get("fingerprint") for adapter in _get_adapters(made)]
    ours = [adapter.fingerprint() for adapter in before]
    return bool(ours) and theirs == ours and _get_part(made, "base").get("fingerprint") == own


def _is_same(there: Path, folder: Folder) -> bool:
    """Return whether the recorded folder still holds this model, in any layout or type."""
    if Path(str(folder.place)).resolve() == there.resolve():
        return True
    try:
        find_checkpoint(str(there))
        return have_same_weights(open_folder(there), folder)
    except (ConfigError, StorageError, OSError):
        return _may_be_named(str(there), folder, {})


def _may_be_named(recorded: str, folder: Folder, merged_from: Mapping[str, Any]) -> bool:
    """Return whether a name could belong to this model, and is not clearly another model's.

    `Qwen/Qwen3-Omni-30B-A3B-Instruct` may be in a folder `qwen3-omni`, but not in `…-Thinking`.
    """
    name = _normalise_name(recorded)
    before_merge = _normalise_name(str(_get_part(merged_from, "base").get("name", "")))
    own = [_normalise_name(part) for part in _list_names(folder)]
    if before_merge and name == before_merge and name not in own:
        return False
    return any(name.startswith(one) or one.startswith(name) for one in own if one)


def _list_names(folder: Folder) -> Iterator[str]:
    """Yield the names of this model: its folder, and the names within a hub's cache."""
    place = folder.place.resolve() if isinstance(folder.place, Path) else folder.place
    parts = str(place).rstrip("/").split("/")
    yield parts[-1]
    for part in parts:
        if part.startswith("models--"):
            yield part.rpartition("--")[2]
    try:
        config = folder.read_json("config.json")
    except (ValueError, StorageError):
        return
    if isinstance(config, dict) and isinstance(config.get("_name_or_path"), str):
        yield config["_name_or_path"]


def _normalise_name(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.rstrip("/").rpartition("/")[2].lower())


def _make_base_error(adapter: Adapter, recorded: str, folder: Folder, own: str) -> ConfigError:
    return ConfigError(
        f"--adapter {adapter.path}: it was trained on {recorded}, and this model is "
        f"{folder.place} (fingerprint {own}); give the base that it was trained on; {_MEANT}"
    )


def describe_base(name: str, base: Path | str) -> dict[str, Any]:
    """Return the record of a base: its name, its fingerprint, and what it was merged from."""
    merged_from = read_json_record(open_folder(base), MERGE_RECORD)
    return {
        "name": name,
        "fingerprint": fingerprint(base),
        **({"merged_from": merged_from} if merged_from else {}),
    }
