"""The three parts of a thinker's config with their own types.

transformers declares each part as a dict, a config or None. After loading they are always configs.
"""

from __future__ import annotations

from transformers import Qwen3OmniMoeThinkerConfig
from transformers.models.qwen3_omni_moe.configuration_qwen3_omni_moe import (
    Qwen3OmniMoeAudioEncoderConfig,
    Qwen3OmniMoeTextConfig,
    Qwen3OmniMoeVisionEncoderConfig,
)


def get_text_config(config: Qwen3OmniMoeThinkerConfig) -> Qwen3OmniMoeTextConfig:
    """Return the config of the language model."""
    part = config.text_config
    assert isinstance(part, Qwen3OmniMoeTextConfig)
    return part


def get_vision_config(config: Qwen3OmniMoeThinkerConfig) -> Qwen3OmniMoeVisionEncoderConfig:
    """Return the config of the vision tower."""
    part = config.vision_config
    assert isinstance(part, Qwen3OmniMoeVisionEncoderConfig)
    return part


def get_audio_config(config: Qwen3OmniMoeThinkerConfig) -> Qwen3OmniMoeAudioEncoderConfig:
    """Return the config of the audio tower."""
    part = config.audio_config
    assert isinstance(part, Qwen3OmniMoeAudioEncoderConfig)
    return part
