"""Which model family a replica loads. There is one, Qwen3-Omni; another one is chosen here."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from ah_ray.config import Scoring
from ah_ray.interfaces.callbacks import MessageCallback
from ah_ray.interfaces.scorer import Scorer
from ah_ray.logs import LogSettings
from ah_ray.omni.weights.download import fetch_adapter, fetch_checkpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplicaSettings:
    """All that a replica needs to know."""

    model: str  # a directory, or the URI of one that each node copies to its own disk once
    base_fingerprint: str  # of the model without its adapters: the copy must be that very one
    adapters: tuple[str, ...]
    cache: Path | None
    scoring: Scoring  # its profile and arithmetic say how clips are scored
    n_gpus: int  # of one replica, over which its layers are spread; 0: it runs on the CPU
    is_last: bool = True  # of the models that score each clip, one after another
    keep_embeddings: bool = False  # the model's hidden state at the answer comes with each score
    say: MessageCallback  # gets sentences about what is copied and loaded, and how fast
    log: LogSettings = field(default_factory=LogSettings)

    @property
    def devices(self) -> tuple[str, ...]:
        """Return the devices of one replica. Ray shows an actor only its own GPUs, from 0 on."""
        return tuple(f"cuda:{n}" for n in range(self.n_gpus)) or ("cpu",)


def load_scorer(settings: ReplicaSettings) -> Scorer:
    """Return the model, loaded onto this actor's device, or with its layers spread over several.

    On a CPU each clip is a pass of its own. Packing gains little there, and so a clip gets the same
    probability to the last bit, independent of the clips that arrive with it.
    """
    from ah_ray.omni.scorer import OmniScorer  # torch: only where a model is loaded

    checkpoint = fetch_checkpoint(
        settings.model,
        settings.cache,
        settings.say,
        expected_fingerprint=settings.base_fingerprint,
    )
    return OmniScorer.load(
        checkpoint,
        adapters=[
            fetch_adapter(adapter, settings.cache, settings.say) for adapter in settings.adapters
        ],
        profile=settings.scoring.profile,
        arithmetic=settings.scoring.arithmetic,
        devices=settings.devices,
        token_budget=None if settings.n_gpus else 1,
        keep_embeddings=settings.keep_embeddings,
        on_message=settings.say,
    )
