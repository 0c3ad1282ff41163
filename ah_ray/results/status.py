"""How an output stands: what is done, who works on it, how the last runs went.

All of it is in storage: no cluster is asked, so it can be told from any machine.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from ah_ray import storage
from ah_ray.errors import ConfigError, ObjectMissing, StorageError
from ah_ray.results.holder import Holder
from ah_ray.results.lease import lease_uri, read_holder
from ah_ray.results.outputs import OutputConfig, read_config
from ah_ray.results.runs import RunSummary, latest_summaries

N_RUNS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """One output, as it is told in storage at this moment."""

    out: str
    config: OutputConfig | None
    holder: Holder | None  # of the lease; null: nobody works on it
    silent_s: float | None  # since the holder's last sign of life, by storage's time and ours
    runs: list[RunSummary]  # the last that ended, newest first

    @property
    def is_running(self) -> bool:
        """A holder that was silent for its stale time, or is a dead process here, does not."""
        if self.holder is None or self.silent_s is None:
            return False
        return self.silent_s < self.holder.stale_s and not self.holder.is_dead()

    @property
    def eta_s(self) -> float | None:
        """Seconds from now to the end of the run that goes on, as it foresaw at its last sign."""
        foreseen = ((self.holder and self.holder.progress) or {}).get("eta_s")
        return None if foreseen is None else max(0.0, foreseen - (self.silent_s or 0.0))

    def as_fields(self) -> dict[str, Any]:
        """For machines."""
        return {
            "out": self.out,
            "config": self.config and self.config.model_dump(mode="json"),
            "running": self.is_running,
            "holder": self.holder and asdict(self.holder),
            "silent_s": self.silent_s,
            "eta_s": self.eta_s,
            "runs": [run.as_fields() for run in self.runs],
        }


def read_status(out: str) -> Status:
    """Raises ConfigError if there is no output, or it cannot be read."""
    out = storage.normalise(out)
    try:
        config = read_config(out)
        holder, silent_s = _holder(out)
        runs = list(latest_summaries(out, N_RUNS))
    except StorageError as error:
        raise ConfigError(f"{out} cannot be read: {error}") from None
    if config is None and holder is None and not runs:
        raise ConfigError(f"{out} is no output of ah_ray: it has no config.json")
    return Status(out=out, config=config, holder=holder, silent_s=silent_s, runs=runs)


def _holder(out: str) -> tuple[Holder | None, float | None]:
    try:
        renewed = storage.stat(lease_uri(out)).last_modified
    except ObjectMissing:
        return None, None
    silent = (datetime.now(UTC) - renewed).total_seconds() if renewed else None
    return read_holder(out), silent and max(0.0, silent)
