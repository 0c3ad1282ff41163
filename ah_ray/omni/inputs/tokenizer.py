"""Read the checkpoint's own tokenizer from its files, never from remote code."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tokenizers import Tokenizer

from ah_ray.errors import ConfigError
from ah_ray.omni.weights.checkpoint import list_tokenizer_names
from ah_ray.omni.weights.model_files import Folder, open_folder

_SPLIT_FILES = ("vocab.json", "merges.txt", "tokenizer_config.json", "added_tokens.json")


def load_tokenizer(checkpoint: Path | str) -> Tokenizer:
    """Return the tokenizer of a checkpoint: a directory, or the URI of one.

    It is read from tokenizer.json or, as Qwen releases it, from vocab.json and merges.txt. Settings
    of training that do not belong to the text's meaning are switched off: padding, truncation, and
    merges that are dropped at random. Raise ConfigError if the files are damaged.
    """
    folder = open_folder(checkpoint)
    try:
        tokenizer = _read_tokenizer(folder)
    except ConfigError:
        raise
    except Exception as error:  # the Rust side raises bare Exception
        raise ConfigError(
            f"--model {checkpoint}: the tokenizer cannot be read ({error}); copy it from the "
            "model that this one was fine-tuned from"
        ) from None
    tokenizer.no_padding()
    tokenizer.no_truncation()
    if getattr(tokenizer.model, "dropout", None) is not None:
        tokenizer.model.dropout = None
    return tokenizer


def _read_tokenizer(folder: Folder) -> Tokenizer:
    if len(list_tokenizer_names(folder)) == 1:
        return Tokenizer.from_str(folder.read("tokenizer.json").decode())
    from transformers import Qwen2Tokenizer  # slow to import, and rarely needed

    with tempfile.TemporaryDirectory(prefix="ah_ray-tokenizer-") as copy:
        for name in _SPLIT_FILES:
            if name in folder:
                (Path(copy) / name).write_bytes(folder.read(name))
        read = Qwen2Tokenizer.from_pretrained(copy, local_files_only=True)
        tokenizer: Tokenizer = read.backend_tokenizer
        return tokenizer


def find_special_id(tokenizer: Tokenizer, token: str) -> int:
    """Return the id of a token that the prompt needs. Raise ConfigError if there is none."""
    found = tokenizer.token_to_id(token)
    if found is None:
        raise ConfigError(
            f"the model's tokenizer lacks {token}, which the prompt needs; copy the tokenizer's "
            "files from the model that this one was fine-tuned from"
        )
    return found
