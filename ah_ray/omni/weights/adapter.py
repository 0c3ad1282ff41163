"""Read a LoRA adapter as peft and ms-swift save it, and refuse everything else.

W becomes W + scale · B·A, with A [r, in] and B [out, r]; scale = alpha / r, or alpha / √r (rsLoRA).
Reading needs no torch. peft: https://huggingface.co/docs/peft/developer_guides/checkpoint
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import regex

from ah_ray.errors import ConfigError, StorageError
from ah_ray.omni.weights.model_files import open_folder
from ah_ray.omni.weights.safetensors_header import list_tensors
from ah_ray.omni.weights.weight_names import is_of_other_model, normalise_name, strip_wrappers

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"

_FACTOR = re.compile(
    r"(?P<module>.+)\.lora_(?P<embedding>embedding_)?(?P<side>[AB])"
    r"(?:\.(?!weight$)(?P<adapter>[^.]+))?(?:\.weight)?"
)
# peft keeps the base's own copy beside a module that was trained completely.
_WHOLE = re.compile(r"(?P<module>.+)\.modules_to_save\.(?P<adapter>[^.]+)\.(?P<rest>.+)")
_BASES_OWN = ".original_module."
# Settings with which the result is not the sum above.
_NOT_A_SUM = (
    "use_dora", "lora_bias", "fan_in_fan_out", "layer_replication", "alora_invocation_tokens",
    "use_qalora", "use_bdlora", "arrow_config", "kasa_config", "monteclora_config",
    "trainable_token_indices",
)  # fmt: skip
# Initialisations that change the base: the file holds no difference to the base at hand.
_CHANGES_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")
_ARITHMETIC = ("r", "lora_alpha", "use_rslora", "rank_pattern", "alpha_pattern")
_PATTERN_S = 1.0  # a hostile pattern can take years, and `re` has no time limit
MERGE_ADVICE = (
    "merge it where it was trained (peft: merge_and_unload; ms-swift: export --merge_lora true), "
    "and give the merged model"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class FactorPair:
    """The two factors of one module."""

    module: str  # its name in training
    key_a: str
    key_b: str
    shape_a: tuple[int, ...]
    shape_b: tuple[int, ...]
    is_embedding: bool

    @property
    def name(self) -> str:
        """Return the module's canonical name; peft nests its second parameter in `base_layer`."""
        return normalise_name(re.sub(r"(\.base_layer)+$", "", self.module))


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """An adapter whose settings and keys were understood."""

    path: Path
    config: Mapping[str, Any]
    pairs: tuple[FactorPair, ...]
    replacements: Mapping[
        str, tuple[str, tuple[int, ...]]
    ]  # weight → key and shape that replaces it
    n_ignored: int  # tensors of the talker

    @property
    def name(self) -> str:
        return self.path.resolve().name

    @property
    def weights(self) -> Path:
        return self.path / WEIGHTS

    def find_rank_and_scale(self, module: str) -> tuple[int, float]:
        """Return rank and scale of a module, by its name in training.

        As in peft, the patterns of the config match the end of the name.
        """
        rank = self._match_pattern("rank_pattern", module, self.config["r"])
        alpha = self._match_pattern("alpha_pattern", module, self.config["lora_alpha"])
        return rank, alpha / (rank**0.5 if self.config.get("use_rslora") else rank)

    def targets_parameter(self, name: str) -> bool:
        """Return whether training targeted this parameter, and not its module."""
        targets = self.config.get("target_parameters") or ()
        return any(f".{name}".endswith(f".{target}") for target in targets)

    @property
    def peft_version(self) -> tuple[int, int]:
        """Return the version of peft that wrote it, or (0, 0) if unknown (before 0.18)."""
        match = re.match(r"(\d{1,6})\.(\d{1,6})", str(self.config.get("peft_version")))
        return (int(match[1]), int(match[2])) if match else (0, 0)

    def _match_pattern(self, patterns: str, module: str, default: float) -> Any:
        for pattern, value in (self.config.get(patterns) or {}).items():
            try:
                if regex.match(rf"(.*\.)?({pattern})$", module, timeout=_PATTERN_S):
                    return value
            except (regex.error, TimeoutError) as error:
                problem = "is no pattern" if isinstance(error, regex.error) else "takes too long"
                raise ConfigError(
                    f"--adapter {self.path}: {pattern[:80]!r} of its {patterns} {problem}; "
                    f"{MERGE_ADVICE}"
                ) from None
        return default

    def fingerprint(self) -> str:
        """Return 16 hex digits of all that it changes: its weights and its arithmetic."""
        settings = {name: self.config.get(name) for name in _ARITHMETIC}
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
        with self.weights.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()[:16]


def read_adapter(path: Path) -> Adapter:
    """Return the adapter in a directory. Raise ConfigError if it cannot be merged."""
    if not (path / CONFIG).is_file():
        raise ConfigError(f"--adapter {path}: no {CONFIG} there; give the directory that holds it")
    if not (path / WEIGHTS).is_file():
        pickled = any(path.glob("adapter_model.bin"))
        raise ConfigError(
            f"--adapter {path}: "
            + (
                "its weights are a pickle, which is never loaded; save it again with peft "
                "(save_pretrained writes safetensors)"
                if pickled
                else f"no {WEIGHTS} there"
            )
        )
    config = _read_config(path)
    others = sorted({file.name for file in path.glob("*.safetensors")} - {WEIGHTS})
    if others:  # written by recipes of ms-swift that train a whole tower beside LoRA
        raise ConfigError(
            f"--adapter {path}: it also holds {others[0]}, which LoRA does not read; {MERGE_ADVICE}"
        )
    shapes = {t.name: t.shape for t in list_tensors(open_folder(path), WEIGHTS)}
    return _sort_tensors(path, config, shapes)


def _read_config(path: Path) -> dict[str, Any]:
    where = f"--adapter {path}: {CONFIG}"
    try:
        config: dict[str, Any] = open_folder(path).read_json(CONFIG)
        kind = config.get("peft_type")
        if kind != "LORA":
            raise ConfigError(f"{where} is of {kind!r}, not of LORA; {MERGE_ADVICE}")
        for name in ("r", "lora_alpha", *_list_values(config, "rank_pattern", "alpha_pattern")):
            value = config[name] if isinstance(name, str) else name
            if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
                raise ValueError(f"{value!r} is neither a rank nor an alpha")
    except (StorageError, ValueError, KeyError, AttributeError) as error:
        raise ConfigError(f"{where} cannot be read ({error!r}); copy it again") from None
    for name in _NOT_A_SUM:
        if config.get(name):
            raise ConfigError(f"{where} sets {name}, which goes beyond LoRA; {MERGE_ADVICE}")
    start = config.get("init_lora_weights")
    if isinstance(start, str) and start.lower().startswith(_CHANGES_BASE):
        raise ConfigError(
            f"{where} sets init_lora_weights to {start!r}, which changes the base; {MERGE_ADVICE}"
        )
    return config


def _add_once(path: Path, found: dict[str, Any], name: str, value: Any) -> None:
    if name in found:
        raise ConfigError(
            f"--adapter {path}: two of its tensors are {name}, the second "
            f"{value if isinstance(value, str) else value[0]}; save or copy the adapter again"
        )
    found[name] = value


def _list_values(config: Mapping[str, Any], *names: str) -> Iterator[object]:
    for name in names:
        yield from (config.get(name) or {}).values()


def _sort_tensors(
    path: Path, config: Mapping[str, Any], shapes: Mapping[str, tuple[int, ...]]
) -> Adapter:
    """Return the adapter with its factors in pairs, and the other tensors as replacements.

    Replacements come from modules_to_save, or are biases.
    """
    factors: dict[tuple[str, bool], dict[str, str]] = {}
    replacements: dict[str, tuple[str, tuple[int, ...]]] = {}
    names: set[str | None] = set()  # of adapters, if peft's names are still in the keys
    n_ignored = 0
    for key, shape in shapes.items():
        name = strip_wrappers(key).removeprefix("base_model.model.")
        if is_of_other_model(name):
            n_ignored += 1
        elif match := _FACTOR.fullmatch(name):
            names.add(match["adapter"])
            sides = factors.setdefault((match["module"], bool(match["embedding"])), {})
            _add_once(path, sides, match["side"], key)
        elif _BASES_OWN not in name:
            if match := _WHOLE.fullmatch(name):
                names.add(match["adapter"])
                name = f"{match['module']}.{match['rest']}"
            weight = normalise_name(name.replace(".base_layer.", "."))
            _add_once(path, replacements, weight, (key, shape))
    if len(names - {None}) > 1:
        several = " and ".join(sorted(name for name in names if name)[:2])
        raise ConfigError(
            f"--adapter {path}: it holds several adapters ({several}); save one of them on its own"
        )
    for keys in factors.values():
        if len(keys) < 2:
            raise ConfigError(
                f"--adapter {path}: {next(iter(keys.values()))} has no other half; save or copy "
                f"the adapter again"
            )
    pairs = [
        FactorPair(
            module=module,
            key_a=keys["A"],
            key_b=keys["B"],
            shape_a=shapes[keys["A"]],
            shape_b=shapes[keys["B"]],
            is_embedding=is_embedding,
        )
        for (module, is_embedding), keys in sorted(factors.items())
    ]
    if not pairs and not replacements:
        raise ConfigError(f"--adapter {path}: it holds nothing for the thinker, which scores")
    return Adapter(
        path=path, config=config, pairs=tuple(pairs), replacements=replacements, n_ignored=n_ignored
    )
