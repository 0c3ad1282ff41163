"""A checkpoint's tokenizer as people really have it: split in two files, padded, permuted."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any


def change_tokenizer(folder: Path, change: Callable[[dict[str, Any]], object]) -> None:
    """Change what tokenizer.json of a folder holds."""
    path = folder / "tokenizer.json"
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def split_tokenizer(folder: Path, *, added: str) -> None:
    """Replace tokenizer.json by vocab.json and merges.txt, as Qwen releases it.

    `added` is where the special tokens' ids stand: `config`, `file`, or `lost`.
    """
    content = json.loads((folder / "tokenizer.json").read_text())
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.json").write_text(json.dumps(content["model"]["vocab"]))
    lines = ["#version: 0.2", *(" ".join(merge) for merge in content["model"]["merges"])]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n")
    tokens = content["added_tokens"]
    if added == "file":
        ids = {token["content"]: token["id"] for token in tokens}
        (folder / "added_tokens.json").write_text(json.dumps(ids))
    elif added == "config":
        path = folder / "tokenizer_config.json"
        decoder = {str(t["id"]): {k: v for k, v in t.items() if k != "id"} for t in tokens}
        path.write_text(
            json.dumps(json.loads(path.read_text()) | {"added_tokens_decoder": decoder})
        )


def exchange_ids(first: str, second: str) -> Callable[[dict[str, Any]], None]:
    """Exchange the ids of two added tokens."""

    def change(content: dict[str, Any]) -> None:
        one, other = (
            next(t for t in content["added_tokens"] if t["content"] == name)
            for name in (first, second)
        )
        one["content"], other["content"] = other["content"], one["content"]

    return change


def drop_token(name: str) -> Callable[[dict[str, Any]], None]:
    """Leave out an added token."""

    def change(content: dict[str, Any]) -> None:
        content["added_tokens"] = [t for t in content["added_tokens"] if t["content"] != name]

    return change
