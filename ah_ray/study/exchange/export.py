"""The whole way from an output to another tool's files: read, hide names, write."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice

from ah_ray import storage
from ah_ray.cohort.id_key import read_id_key
from ah_ray.errors import ConfigError, ObjectMissing, StorageError
from ah_ray.study.exchange.bids import bids_files
from ah_ray.study.exchange.boris import boris_files
from ah_ray.study.exchange.elan import elan_files
from ah_ray.study.exchange.gather import gather
from ah_ray.study.exchange.label_studio import label_studio_files
from ah_ray.study.exchange.plain_csv import csv_files
from ah_ray.study.exchange.recording import ExportedCohort
from ah_ray.study.exchange.redcap import redcap_files
from ah_ray.study.exchange.settings import ExportSettings, Tool
from ah_ray.study.exchange.vocabulary import VOCABULARY_FILE, own_vocabulary, write_vocabulary
from ah_ray.study.parallel import in_threads

_THREADS, _AT_ONCE = 8, 64
_Files = Callable[[ExportedCohort], Iterator[tuple[str, bytes]]]

WRITERS: dict[Tool, _Files] = {
    Tool.ELAN: elan_files,
    Tool.BORIS: boris_files,
    Tool.LABEL_STUDIO: label_studio_files,
    Tool.BIDS: bids_files,
    Tool.REDCAP: redcap_files,
    Tool.CSV: csv_files,
}
READ_BACK = (Tool.ELAN, Tool.BORIS, Tool.LABEL_STUDIO)
"""Tools whose files `prepare.py` reads."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """The files that were written."""

    out: str
    tool: Tool
    n_files: int
    cohort: ExportedCohort
    has_names: bool  # of recordings or participants


def export(settings: ExportSettings) -> Exported:
    """Write the files. Raise ConfigError if a setting or the output is wrong, StorageError."""
    out = storage.normalise(settings.out)
    id_key = read_id_key(settings.id_key)
    _check_empty(out)
    storage.check_writable(out)
    cohort = gather(settings, id_key)

    def write(file: tuple[str, bytes]) -> None:
        storage.write_whole(storage.join(out, file[0]), file[1])

    n_files, files = 0, _files(settings.to, cohort)
    while some := list(islice(files, _AT_ONCE)):  # not all files at once in memory
        n_files += sum(1 for _ in in_threads(_THREADS, write, some))
    return Exported(
        out=out,
        tool=settings.to,
        n_files=n_files,
        cohort=cohort,
        has_names=settings.link_videos or settings.plain_participants,
    )


def _files(tool: Tool, cohort: ExportedCohort) -> Iterator[tuple[str, bytes]]:
    yield from WRITERS[tool](cohort)
    if tool in READ_BACK:
        questions = [one.name for one in cohort.labelled_questions]
        vocabulary = own_vocabulary(tool, cohort.construct, questions)
        yield VOCABULARY_FILE, write_vocabulary(vocabulary)


def _check_empty(out: str) -> None:
    """Raise ConfigError if the folder holds files: somebody may have annotated in them."""
    try:
        if not any(storage.list_pages(out)):
            return
    except ObjectMissing:
        return
    except StorageError as error:
        raise ConfigError(f"--out {out}: {error}") from None
    raise ConfigError(
        f"--out {out} holds files, in which somebody may have annotated: choose another folder, "
        "or empty that one"
    )
