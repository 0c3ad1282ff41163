"""A LoRA adapter as peft and ms-swift save it, read without torch and refused where it is not one.

W becomes W + scale · B·A, with A [r, in] and B [out, r]; scale = alpha / r, or alpha / √r (rsLoRA).
peft: https://huggingface.co/docs/peft/developer_guides/checkpoint
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
from ah_ray.omni.folder import open_folder
from ah_ray.omni.safetensors_file import tensors
from ah_ray.omni.weight_names import OTHER_MODELS, weight_name

CONFIG = "adapter_config.json"
WEIGHTS = "adapter_model.safetensors"

_FACTOR = re.compile(r"(?P<module>.+)\.lora_(?P<embedding>embedding_)?(?P<side>[AB])(?:\.weight)?")
# Settings that make of LoRA something else than the sum above.
_NOT_A_SUM = (
    "use_dora", "lora_bias", "fan_in_fan_out", "layer_replication", "alora_invocation_tokens",
    "use_qalora", "use_bdlora", "arrow_config", "kasa_config", "monteclora_config",
    "trainable_token_indices",
)  # fmt: skip
# Initialisations that change the base: the file holds no difference to the base at hand.
_CHANGES_BASE = ("pissa", "olora", "corda", "loftq", "lora_ga")
_ARITHMETIC = ("r", "lora_alpha", "use_rslora", "rank_pattern", "alpha_pattern")
_PATTERN_S = 1.0  # a pattern can be written to take years; `re` would
_MERGE_THERE = (
    "merge it where it was trained (peft: merge_and_unload; ms-swift: export --merge_lora true), "
    "and give the merged model"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """The two factors of one module."""

    module: str  # as it was called in training
    key_a: str
    key_b: str
    shape_a: tuple[int, ...]
    shape_b: tuple[int, ...]
    is_embedding: bool

    @property
    def name(self) -> str:
        """The module's one name. (peft nests a second parameter of a module in `base_layer`.)"""
        return weight_name(re.sub(r"(\.base_layer)+$", "", self.module))


@dataclass(frozen=True, slots=True, kw_only=True)
class Adapter:
    """An adapter whose settings and keys have been understood."""

    path: Path
    config: Mapping[str, Any]
    pairs: tuple[Pair, ...]
    wholes: Mapping[str, tuple[str, tuple[int, ...]]]  # weight → key and shape that replaces it
    n_ignored: int  # tensors of the talker

    @property
    def name(self) -> str:
        return self.path.resolve().name

    @property
    def weights(self) -> Path:
        return self.path / WEIGHTS

    def rank_and_scale(self, module: str) -> tuple[int, float]:
        """Of a module by its name in training; the patterns match its end, as in peft."""
        rank = self._pattern("rank_pattern", module, self.config["r"])
        alpha = self._pattern("alpha_pattern", module, self.config["lora_alpha"])
        return rank, alpha / (rank**0.5 if self.config.get("use_rslora") else rank)

    def is_parameter(self, name: str) -> bool:
        """Whether training named this parameter, and not its module, as a target."""
        targets = self.config.get("target_parameters") or ()
        return any(f".{name}".endswith(f".{target}") for target in targets)

    def _pattern(self, patterns: str, module: str, default: float) -> Any:
        for pattern, value in (self.config.get(patterns) or {}).items():
            try:
                if regex.match(rf"(.*\.)?({pattern})$", module, timeout=_PATTERN_S):
                    return value
            except (regex.error, TimeoutError) as error:
                problem = "is no pattern" if isinstance(error, regex.error) else "takes too long"
                raise ConfigError(
                    f"--adapter {self.path}: {pattern[:80]!r} of its {patterns} {problem}; "
                    f"{_MERGE_THERE}"
                ) from None
        return default

    def fingerprint(self) -> str:
        """16 hex digits of all that it does to a model: its weights and its arithmetic."""
        settings = {name: self.config.get(name) for name in _ARITHMETIC}
        digest = hashlib.sha256(json.dumps(settings, sort_keys=True).encode())
        with self.weights.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
        return digest.hexdigest()[:16]


def read_adapter(path: Path) -> Adapter:
    """The adapter in a directory. Raises ConfigError, with the mend, if it cannot be merged."""
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
    config = _config(path)
    others = sorted({file.name for file in path.glob("*.safetensors")} - {WEIGHTS})
    if others:  # as ms-swift's recipes write that train a tower whole beside LoRA
        raise ConfigError(
            f"--adapter {path}: it holds {others[0]} too, which no part of LoRA reads; "
            f"{_MERGE_THERE}"
        )
    shapes = {t.name: t.shape for t in tensors(open_folder(path), WEIGHTS)}
    return _sorted_out(path, config, shapes)


def _config(path: Path) -> dict[str, Any]:
    where = f"--adapter {path}: {CONFIG}"
    try:
        config = open_folder(path).read_json(CONFIG)
        kind = config.get("peft_type")
        if kind != "LORA":
            raise ConfigError(f"{where} is of {kind!r}, not of LORA; {_MERGE_THERE}")
        for name in ("r", "lora_alpha", *_values(config, "rank_pattern", "alpha_pattern")):
            value = config[name] if isinstance(name, str) else name
            if isinstance(value, bool) or not isinstance(value, int | float) or value <= 0:
                raise ValueError(f"{value!r} is no rank and no alpha")
    except (StorageError, ValueError, KeyError, AttributeError) as error:
        raise ConfigError(f"{where} cannot be read ({error!r}); copy it again") from None
    for name in _NOT_A_SUM:
        if config.get(name):
            raise ConfigError(f"{where} sets {name}, which is more than LoRA; {_MERGE_THERE}")
    start = config.get("init_lora_weights")
    if isinstance(start, str) and start.lower().startswith(_CHANGES_BASE):
        raise ConfigError(
            f"{where} sets init_lora_weights to {start!r}, which changes the base; {_MERGE_THERE}"
        )
    return config


def _values(config: dict, *names: str) -> Iterator[object]:
    for name in names:
        yield from (config.get(name) or {}).values()


def _sorted_out(path: Path, config: dict, shapes: Mapping[str, tuple[int, ...]]) -> Adapter:
    """Factors to pairs, and the rest to whole tensors (of modules_to_save, or biases)."""
    factors: dict[tuple[str, bool], dict[str, str]] = {}
    wholes: dict[str, tuple[str, tuple[int, ...]]] = {}
    n_ignored = 0
    for key, shape in shapes.items():
        name = key.removeprefix("base_model.model.")
        if name.startswith(OTHER_MODELS):
            n_ignored += 1
        elif match := _FACTOR.fullmatch(name):
            module = (match["module"], bool(match["embedding"]))
            factors.setdefault(module, {})[match["side"]] = key
        else:
            wholes[weight_name(name.replace(".base_layer.", "."))] = (key, shape)
    for keys in factors.values():
        if len(keys) < 2:
            raise ConfigError(
                f"--adapter {path}: {next(iter(keys.values()))} has no other half; save or copy "
                f"the adapter again"
            )
    pairs = [
        Pair(
            module=module,
            key_a=keys["A"],
            key_b=keys["B"],
            shape_a=shapes[keys["A"]],
            shape_b=shapes[keys["B"]],
            is_embedding=is_embedding,
        )
        for (module, is_embedding), keys in sorted(factors.items())
    ]
    if not pairs and not wholes:
        raise ConfigError(f"--adapter {path}: it holds nothing for the thinker, which scores")
    return Adapter(path=path, config=config, pairs=tuple(pairs), wholes=wholes, n_ignored=n_ignored)
