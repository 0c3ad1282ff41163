"""The embedding of a clip: the hidden state from which the answer about it was read.

It is what the last layer gives, after its norm, at the last token before the answer to the first
question. Clips that the model takes for similar are near each other in it.
"""

from __future__ import annotations

import torch

from ah_ray.omni.inputs.layout import PackLayout
from ah_ray.omni.questionnaire import Questionnaire

_MOST = torch.finfo(torch.float16).max


def pick_answers(
    hidden: torch.Tensor, layout: PackLayout, questionnaire: Questionnaire, n_clips: int
) -> torch.Tensor:
    """Return the hidden states [n, D] at the answers of a pack's n clips, from those of its reads.

    The first token of any answer is picked at that read.
    """
    pick = questionnaire.questions[0].answers[0][0][0]
    reads = layout.picked_reads.unflatten(0, (n_clips, -1))[:, pick]
    return hidden[reads.to(hidden.device)]


def to_bytes(hidden: torch.Tensor) -> list[bytes]:
    """Return hidden states [n, D] as n times D numbers in float16, little-endian.

    This waits for the device. What float16 does not reach becomes its largest number.
    """
    numbers = hidden.float().clamp(-_MOST, _MOST).half().cpu().numpy()
    return [row.tobytes() for row in numbers.astype("<f2", copy=False)]
