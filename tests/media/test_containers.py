"""The table of containers is the only place that knows of one."""

from __future__ import annotations

import ast
from pathlib import Path

import av
import pytest

import ah_ray
from ah_ray.config import score_settings
from ah_ray.config.containers import CONTAINERS, DEMUXERS, VIDEO_ENDINGS, find_container

PACKAGE = Path(ah_ray.__file__).parent


@pytest.mark.parametrize("container", CONTAINERS, ids=lambda container: container.demuxer)
def test_libav_knows_every_demuxer(container):
    assert find_container(av.ContainerFormat(container.demuxer, "r").name) is container


def test_entries_do_not_overlap():
    assert len({container.demuxer for container in CONTAINERS}) == len(CONTAINERS)
    assert len(set(VIDEO_ENDINGS)) == len(VIDEO_ENDINGS)
    assert all(ending.startswith(".") and ending.islower() for ending in VIDEO_ENDINGS)


def test_the_endings_of_the_table_are_the_default_of_a_cohort():
    assert score_settings(videos="v", out="o", model="tiny").endings == VIDEO_ENDINGS


def test_a_format_outside_the_table_has_no_properties():
    assert find_container("hls").clock_period_s is None


def test_no_other_module_lists_demuxers_or_endings():
    """`mpegts` and `.m2ts` stand for the lists: nothing but a list of containers names them."""
    found = {
        path.relative_to(PACKAGE).as_posix()
        for path in PACKAGE.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and node.value in ("mpegts", ".m2ts", DEMUXERS)
    }
    assert found == {"config/containers.py"}
