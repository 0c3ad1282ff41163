"""The sizes of the released Qwen3-Omni-30B-A3B, as a config."""

import json
from pathlib import Path

from transformers import Qwen3OmniMoeThinkerConfig

_SIZES = Path(__file__).parent / "goldens" / "released_sizes.json"


def released_config() -> Qwen3OmniMoeThinkerConfig:
    return Qwen3OmniMoeThinkerConfig(**json.loads(_SIZES.read_text()))
