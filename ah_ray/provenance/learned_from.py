"""Whose videos a model or a calibration has learned from, as a record that names nobody.

A model looks good on people it was trained on, and so does a threshold on people it was fitted to.
So a training, a calibration file and an output's config.json say on whom they rest: by hashes of
participants and of contents, keyed by the fingerprint of the labels. Two manifests that call a
person the same are compared by participant; a video that both hold, under any name, by its
content.
"""

from __future__ import annotations

import hmac
from collections.abc import Collection, Iterable
from enum import StrEnum

from ah_ray.validation import FrozenModel


class Use(StrEnum):
    """What was done with the videos."""

    TRAINING = "training"  # weights were learned from them
    CHECKPOINT = "choice of the checkpoint"  # the best of several was chosen on them
    CALIBRATION = "calibration"  # a scaling or a threshold was fitted to them


class LearnedFrom(FrozenModel):
    """Videos that something was learned from."""

    use: Use
    by: str = ""  # what learned from them: `model lora-3`, `calibration 0123…`
    split: str | None = None
    data_fingerprint: str  # of the labelled manifest; it keys the hashes
    participants: tuple[str, ...] = ()  # keyed hashes
    contents: tuple[str, ...] = ()  # keyed hashes

    def hash_of(self, kind: str, text: str) -> str:
        return keyed_hash(self.data_fingerprint, kind, text)

    def has_participant(self, participant: str) -> bool:
        return self.hash_of("participant", participant) in self.participants

    def has_content(self, content: str) -> bool:
        return self.hash_of("content", content) in self.contents


def learned_from(
    use: Use,
    *,
    data_fingerprint: str,
    participants: Iterable[str],
    contents: Iterable[str | None],
    split: str | None = None,
    by: str = "",
) -> LearnedFrom:
    """Return the record of some videos. `participants` are in their normal form."""

    def hashes(kind: str, texts: Collection[str]) -> tuple[str, ...]:
        return tuple(sorted(keyed_hash(data_fingerprint, kind, text) for text in texts))

    return LearnedFrom(
        use=use,
        by=by,
        split=split,
        data_fingerprint=data_fingerprint,
        participants=hashes("participant", set(participants)),
        contents=hashes("content", {content for content in contents if content is not None}),
    )


def keyed_hash(key: str, kind: str, text: str) -> str:
    """Return 16 hex digits for a participant or a content; the same key gives the same digits."""
    return hmac.digest(key.encode(), f"{kind}\0{text}".encode(), "sha256").hex()[:16]
