"""What the tests of labelled work share."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

import invented_bah
import pytest
from chromium import CHROMIUM
from playwright.sync_api import Browser, sync_playwright
from rich.console import Console

from ah_ray.media.probe import probe
from ah_ray.study.label_errors import FaultyInput
from ah_ray.study.prepare.make import Prepared, prepare
from ah_ray.study.prepare.settings import prepare_settings


@pytest.fixture(scope="session")
def recordings(tmp_path_factory) -> dict[float, Path]:
    """A small real video of each of invented_bah.LENGTHS_S."""
    return invented_bah.make_recordings(tmp_path_factory.mktemp("recordings"))


@pytest.fixture(autouse=True, scope="session")
def each_recording_is_probed_once():
    """Trees hold copies of the same few recordings: none need be probed a hundred times."""
    known = {}

    def once(file, **settings):
        file.seek(0)
        content = hashlib.sha256(file.read().partition(invented_bah.COPY)[0]).digest()
        if content not in known:
            file.seek(0)
            known[content] = probe(file, **settings)
        return known[content]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ah_ray.study.prepare.durations.probe", once)
        yield


@pytest.fixture
def bah(recordings, tmp_path) -> Path:
    """An invented BAH of its own."""
    return invented_bah.make_bah(tmp_path / "bah", recordings)


@pytest.fixture
def prepared(tmp_path) -> Callable[..., Prepared]:
    """Prepares into tmp_path/labels, by default without pseudonyms."""

    def run(**settings: object) -> Prepared:
        who = {} if "id_key" in settings else {"plain_participants": True}
        values = {"out": str(tmp_path / "labels"), **who, **settings}
        texts = {k: str(v) if isinstance(v, Path) else v for k, v in values.items()}
        return prepare(prepare_settings(**texts), Console(quiet=True))

    return run


@pytest.fixture
def faults_of(prepared) -> Callable[..., list[str]]:
    """The faults of a source, as `file:line: problem; remedy`, with the file's name alone."""

    def run(**settings: object) -> list[str]:
        with pytest.raises(FaultyInput) as caught:
            prepared(**settings)
        return [
            f"{Path(fault.place.file).name}:{fault.place.line}: {fault.problem}; {fault.remedy}"
            for fault in caught.value.faults
        ]

    return run


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        # Its own sandbox needs rights that a container does not have; these pages are ours.
        started = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield started
        started.close()
