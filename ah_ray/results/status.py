"""The status of an output: what is done, which run works on it, and how the last runs ended.

All of it is read from storage, so it works on any machine, without a cluster.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from ah_ray import storage
from ah_ray.errors import ConfigError, ObjectMissing, StorageError
from ah_ray.output.config import OutputConfig, read_config
from ah_ray.output.lease import lease_uri, read_holder
from ah_ray.output.lease_holder import Holder
from ah_ray.output.runs import RunSummary, latest_summaries

N_RUNS = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """The status of one output, as storage has it now."""

    out: str
    config: OutputConfig | None
    holder: Holder | None  # of the lease; null if no run works on the output
    silent_s: float | None  # since the holder's last renewal, by storage's clock and ours
    runs: list[RunSummary]  # the last runs that ended, newest first

    @property
    def is_running(self) -> bool:
        """Return whether a run works on the output: its holder is alive, as far as known here."""
        if self.holder is None or self.silent_s is None:
            return False
        return self.silent_s < self.holder.stale_s and not self.holder.is_dead()

    @property
    def eta_s(self) -> float | None:
        """Return seconds from now to the end of the current run, by its last estimate."""
        estimated = ((self.holder and self.holder.progress) or {}).get("eta_s")
        return None if estimated is None else max(0.0, estimated - (self.silent_s or 0.0))

    def as_fields(self) -> dict[str, Any]:
        """Return it as JSON fields, for machines."""
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
    """Return the status of an output. Raise ConfigError if there is none, or it is unreadable."""
    out = storage.normalise(out)
    try:
        config = read_config(out)
        holder, silent_s = _read_lease(out)
        runs = list(latest_summaries(out, N_RUNS))
    except StorageError as error:
        raise ConfigError(f"{out} cannot be read: {error}") from None
    if config is None and holder is None and not runs:
        raise ConfigError(f"{out} is no output of ah_ray: it has no config.json")
    return Status(out=out, config=config, holder=holder, silent_s=silent_s, runs=runs)


def _read_lease(out: str) -> tuple[Holder | None, float | None]:
    try:
        renewed = storage.stat(lease_uri(out)).last_modified
    except ObjectMissing:
        return None, None
    silent = (datetime.now(UTC) - renewed).total_seconds() if renewed else None
    return read_holder(out), silent and max(0.0, silent)
