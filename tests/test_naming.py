"""What leaves a process whose names are hidden."""

import pytest

from ah_ray.naming import hide_names, hide_paths, name_in_message, remove_paths


@pytest.fixture
def hidden():
    hide_names(True)
    yield
    hide_names(False)


@pytest.mark.parametrize(
    "text",
    [
        "reading s3://study/Anna Muster/visit 3.mp4: 403 Forbidden; give the job's role access",
        "reading /data/Anna Muster: Permission denied",
        "listing /data/Anna Muster/visit 3 #2.mp4 failed 4 times in 3 s: SlowDown",
        "'Anna Muster/visit 3.mp4' leaves the manifest's folder",
        'Could not connect to "http://host/study/Anna%20Muster/visit%203"',
        "uri=/data/Anna Muster/visit 3.mp4",
        "[/data/Anna/visit.mp4] (/data/Muster/3.mp4)",
        "C:\\\\study\\\\Anna",
    ],
)
def test_no_part_of_a_name_is_left(text):
    found = remove_paths(text)
    for part in ("Anna", "Muster", "visit", "study"):
        assert part not in found, found


@pytest.mark.parametrize(
    "text",
    [
        "12 of 14 videos",
        "3.5 clips/s, 89 MB/s",
        "GPUs: 1/2",
        "3 are A/H",
        "the deadline 06:00 has come",
        "5 s: SlowDown",
    ],
)
def test_figures_stay(text):
    assert remove_paths(text) == text


def test_only_while_they_are_hidden(hidden):
    assert (name_in_message("/study/anna"), hide_paths("/study/anna")) == ("…", "…")
    hide_names(False)
    assert (name_in_message("/study/anna"), hide_paths("/study/anna")) == (
        "/study/anna",
        "/study/anna",
    )
