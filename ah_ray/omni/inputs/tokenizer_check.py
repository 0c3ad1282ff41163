"""Check that a tokenizer gives the ids that its model was trained on. This needs no torch.

A tokenizer whose special tokens have other ids still makes a sequence, and the model still gives a
probability, but of something else. So the ids that the prompt uses are compared with the
checkpoint's config, with the size of its vocabulary, and with the tokenizer of an adapter.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path

from tokenizers import Tokenizer

from ah_ray.errors import ConfigError
from ah_ray.omni.inputs.prompt import SPECIAL, format_chat
from ah_ray.omni.inputs.tokenizer import load_tokenizer
from ah_ray.omni.questionnaire import build_questionnaire
from ah_ray.omni.weights.checkpoint import list_tokenizer_names
from ah_ray.omni.weights.model_config import read_thinker_config
from ah_ray.omni.weights.model_files import Folder, open_folder
from ah_ray.profile import Profile

_OF_THINKER = {
    "video_token_id": "<|video_pad|>",
    "audio_token_id": "<|audio_pad|>",
    "vision_start_token_id": "<|vision_start|>",
    "vision_end_token_id": "<|vision_end|>",
    "audio_start_token_id": "<|audio_start|>",
    "audio_end_token_id": "<|audio_end|>",
    "user_token_id": "user",
}
_OF_WHOLE = {
    "im_start_token_id": "<|im_start|>",
    "im_end_token_id": "<|im_end|>",
    "system_token_id": "system",
    "assistant_token_id": "assistant",
}
_COPY = "copy the tokenizer's files from the model that this one was fine-tuned from"
_END = "<|im_end|>"


def check_tokenizer(tokenizer: Tokenizer, checkpoint: Path | str, profile: Profile) -> None:
    """Raise ConfigError if the profile's prompts would have other ids than the model knows.

    Also if the tokenizer cannot tell the answers to one of its questions apart.
    """
    where, folder = f"--model {checkpoint}", open_folder(checkpoint)
    try:
        lines = build_questionnaire(profile, tokenizer).tree.lines
    except ConfigError as error:
        raise ConfigError(f"{where}: {error}") from None
    for token, expected, source in _list_expected_ids(folder):
        found = tokenizer.token_to_id(token)
        if found is not None and found != expected:
            raise ConfigError(
                f"{where}: {token} is {found} in its tokenizer and {expected} in its {source}; "
                f"{_COPY}"
            )
    size = _read_vocabulary_size(folder)
    fed = chain.from_iterable(line.prompt.token_ids(1, 1) for line in lines)
    beyond = [one for one in (*fed, *_encode_answers(tokenizer, profile)) if one >= size]
    if beyond:
        raise ConfigError(
            f"{where}: its tokenizer gives {tokenizer.id_to_token(beyond[0])!r} the id "
            f"{beyond[0]}, and the model's vocabulary ends at {size - 1}; {_COPY}"
        )


def check_adapter_tokenizer(
    adapter: Path, tokenizer: Tokenizer, checkpoint: Path | str, profile: Profile
) -> None:
    """Raise ConfigError if an adapter has a tokenizer that gives the prompt other ids."""
    if not list_tokenizer_names(open_folder(adapter)):
        return
    its = load_tokenizer(adapter)
    pairs = ((token, its.token_to_id(token), tokenizer.token_to_id(token)) for token in SPECIAL)
    other = next((pair for pair in pairs if pair[1] != pair[2]), None)
    if other is None and _encode_prompt(its, profile) == _encode_prompt(tokenizer, profile):
        return
    detail = f": {other[0]} is {other[1]} there and {other[2]} here" if other else ""
    raise ConfigError(
        f"--adapter {adapter}: its tokenizer gives the prompt other ids than that of {checkpoint}"
        f"{detail}; give the base that it was trained on, or merge it there and give the merged "
        "model"
    )


def check_tokenizers(
    checkpoint: Path | str, adapters: Sequence[Path], profile: Profile
) -> Tokenizer:
    """Return a checkpoint's tokenizer after comparing it with its config and with the adapters'."""
    tokenizer = load_tokenizer(checkpoint)
    check_tokenizer(tokenizer, checkpoint, profile)
    for adapter in adapters:
        check_adapter_tokenizer(adapter, tokenizer, checkpoint, profile)
    return tokenizer


def _list_expected_ids(folder: Folder) -> Iterator[tuple[str, int, str]]:
    """Yield (token, id, file that says so) for the special tokens of a checkpoint."""
    whole, thinker = folder.read_json("config.json"), read_thinker_config(folder)
    size = _read_vocabulary_size(folder)
    for config, names in ((thinker, _OF_THINKER), (whole, _OF_WHOLE)):
        for name, token in names.items():
            value = config.get(name)
            # transformers writes the release's ids as defaults beside smaller vocabularies.
            if type(value) is int and (config is thinker or value < size):
                yield token, value, f"config.json ({name})"
    for value, token in _read_added_tokens(folder):
        if token in SPECIAL and value.isdecimal():
            yield token, int(value), "tokenizer_config.json"


def _read_added_tokens(folder: Folder) -> Iterator[tuple[str, str]]:
    if "tokenizer_config.json" not in folder:
        return
    try:
        added = folder.read_json("tokenizer_config.json").get("added_tokens_decoder") or {}
        yield from ((str(number), one["content"]) for number, one in added.items())
    except (ValueError, AttributeError, KeyError, TypeError):
        raise ConfigError(
            f"--model {folder.place}: tokenizer_config.json is damaged; {_COPY}"
        ) from None


def _read_vocabulary_size(folder: Folder) -> int:
    size = read_thinker_config(folder)["text_config"].get("vocab_size")
    if type(size) is not int:
        raise ConfigError(f"--model {folder.place}: config.json lacks text_config.vocab_size")
    return size


def _encode_answers(tokenizer: Tokenizer, profile: Profile) -> Iterator[int]:
    texts = (
        one.answer_text(answer) for one in profile.complete_questions for answer in one.answers
    )
    encodings = (tokenizer.encode(text, add_special_tokens=False) for text in (*texts, _END))
    return chain.from_iterable(encoding.ids for encoding in encodings)


def _encode_prompt(tokenizer: Tokenizer, profile: Profile) -> list[int]:
    texts = (format_chat(profile, question) for question in profile.complete_questions)
    encodings = (tokenizer.encode(text, add_special_tokens=False) for text in texts)
    prompts = chain.from_iterable(encoding.ids for encoding in encodings)
    return [*prompts, *_encode_answers(tokenizer, profile)]
