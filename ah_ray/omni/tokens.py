"""The checkpoint's own tokenizer, read from its files; never from remote code."""

from __future__ import annotations

from pathlib import Path

from tokenizers import Tokenizer

from ah_ray.errors import ConfigError
from ah_ray.omni.checkpoint import tokenizer_files


def load_tokenizer(checkpoint: Path) -> Tokenizer:
    """From tokenizer.json, or (as Qwen releases it) from vocab.json and merges.txt.

    Raises ConfigError if the files are damaged.
    """
    files = tokenizer_files(checkpoint)
    try:
        if len(files) == 1:
            return Tokenizer.from_file(str(files[0]))
        from transformers import Qwen2Tokenizer  # slow to import, and seldom needed

        return Qwen2Tokenizer.from_pretrained(checkpoint, local_files_only=True).backend_tokenizer
    except Exception as error:  # the Rust side raises bare Exception
        raise ConfigError(
            f"--model {checkpoint}: the tokenizer cannot be read ({error}); copy it from the "
            "model that this one was fine-tuned from"
        ) from None


def special_id(tokenizer: Tokenizer, token: str) -> int:
    """The id of a token that the prompt cannot do without."""
    found = tokenizer.token_to_id(token)
    if found is None:
        raise ConfigError(f"the model's tokenizer lacks {token}: it is not a Qwen3-Omni's")
    return found
