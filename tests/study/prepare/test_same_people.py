"""One person is in one split, however they are written, and no recording is of two people."""

from __future__ import annotations

import shutil

import pytest
from invented_bah import VIDEOS, Invented, copy_recording, make_bah
from spellings import SAME

HEADER = "uri,label,participant,split"
SPELLINGS = {
    name: pair
    for name, pair in SAME.items()
    if "," not in pair[1] and pair[1] == pair[1].strip()  # as a cell of a CSV without quotes
}


@pytest.mark.parametrize("pair", SPELLINGS.values(), ids=SPELLINGS)
def test_a_table_with_one_person_in_two_splits(table, faults_of, pair):
    one, other = pair
    (fault,) = faults_of(
        table=table(f"a.mp4,1,{one},train", f"b.mp4,0,{other},test", header=HEADER)
    )
    assert fault.startswith(f"labels.csv:2: participant {one} (also written ")
    assert "is in train (" in fault and "labels.csv:2) and in test (" in fault


@pytest.mark.parametrize("pair", SPELLINGS.values(), ids=SPELLINGS)
def test_a_table_with_one_person_in_two_spellings(table, prepared, pair, tmp_path):
    """They are one participant, with one pseudonym and one split."""
    one, other = pair
    (tmp_path / "key").write_text("of sixteen bytes or more")
    labels = table(
        f"a.mp4,1,{one}", f"b.mp4,0,{other}", "c.mp4,0,Q", header="uri,label,participant"
    )
    found = prepared(table=labels, split="0.5,0,0.5", id_key=tmp_path / "key")
    who = found.videos["participant_id"].to_pylist()
    assert len(set(who)) == 2 and found.about["participants"] == 2
    assert found.about["splits"]["train"]["participants"] == 1
    plain = prepared(table=labels, split="0.5,0,0.5").videos.to_pylist()
    assert {row["participant_id"] for row in plain} == {one.strip(), "Q"}


@pytest.mark.parametrize("other", ["090001", "90001.0", "9\u200b0001"])
def test_a_bah_tree_with_one_person_in_two_splits(recordings, tmp_path, faults_of, other):
    videos = [
        Invented(participant="90001", split="train", seconds=2.0, label=0),
        Invented(participant=other, split="test", seconds=2.0, label=0),
    ]
    (fault,) = faults_of(bah=make_bah(tmp_path / "bah", recordings, videos))
    assert "participant 90001 (also written " in fault and "in test (" in fault


def test_meta_data_may_spell_a_participant_in_another_way(recordings, tmp_path, prepared):
    people = {"090001.0": {"Age": 31, "Use in challenges": "Yes"}}
    tree = make_bah(tmp_path / "bah", recordings, VIDEOS[:1], people=people)
    (row,) = prepared(bah=tree, consent=["challenges"]).videos.to_pylist()
    assert row["age"] == 31


def test_the_same_bytes_under_two_people(table, folder, faults_of, prepared):
    shutil.copy(folder / "a.mp4", folder / "e.mp4")
    labels = table("a.mp4,1,ann", "b.mp4,0,ann", "e.mp4,1,bob", header="uri,label,participant")
    (fault,) = faults_of(table=labels)
    assert fault == (
        f"labels.csv:4: {folder}/e.mp4 has the same bytes as {folder}/a.mp4 ({labels}:2), but is "
        "of participant bob instead of ann; keep the right one, and take the other out"
    )
    left = prepared(table=labels, skip_faulty=True).videos["uri"].to_pylist()
    assert left == [f"{folder}/b.mp4"], "which of the two is right is not known"


def test_the_same_bytes_with_two_labels(table, folder, faults_of):
    shutil.copy(folder / "a.mp4", folder / "e.mp4")
    (fault,) = faults_of(table=table("a.mp4,1,P-1", "e.mp4,0,p-1", header="uri,label,participant"))
    assert "but has the label 0 instead of 1" in fault


def test_the_same_recording_twice_of_one_person_is_no_fault(table, folder, prepared):
    shutil.copy(folder / "a.mp4", folder / "e.mp4")
    labels = table("a.mp4,1,P-1", "e.mp4,1,p-1", header="uri,label,participant")
    first, second = prepared(table=labels).videos["content"].to_pylist()
    assert first == second


@pytest.mark.parametrize("size", [0, 1, 1 << 16, (1 << 20) - 1, 1 << 20, (1 << 20) + 1, 3 << 20])
def test_content_depends_on_every_block(size, tmp_path):
    from ah_ray.study.prepare.content import content_of

    path, found = tmp_path / "file", set()
    content = bytes(n % 251 for n in range(size))
    changes = [None, 0, size - 1] if size else [None]
    for place in changes:
        changed = bytearray(content)
        if place is not None:
            changed[place] ^= 1
        path.write_bytes(changed)
        with path.open("rb") as file:
            found.add(content_of(file))
            assert file.tell() == 0
    assert len(found) == len({None, *changes} if size != 1 else {None, 0})


def test_bytes_of_their_own(recordings, tmp_path):
    """The fixture's copies differ, as recordings of different people do."""
    for name in "ab":
        copy_recording(recordings[2.0], tmp_path / name)
    assert (tmp_path / "a").read_bytes() != (tmp_path / "b").read_bytes()
