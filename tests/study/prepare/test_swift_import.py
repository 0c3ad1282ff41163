"""Another's JSONL for ms-swift: each clip a video, its participant told by its name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from invented_bah import copy_recording

from ah_ray.errors import ConfigError
from ah_ray.profile import load_profile


@pytest.fixture
def published(recordings, tmp_path) -> Path:
    """A JSONL as the published scripts write it: clips by name, `video` and `audio`, no system."""
    folder = tmp_path / "clips"
    folder.mkdir()
    lines, prompt = [], load_profile("seed").user
    for number, (seconds, answer) in enumerate(((2.0, "Yes"), (7.0, "No"), (2.0, "No"))):
        name = f"9000{number}_Question_1_2030-01-02_10-00-00_Video_1"
        copy_recording(recordings[seconds], folder / f"{name}.mp4")
        said = [{"role": "user", "content": prompt},
                {"role": "assistant", "content": f"<answer>{answer}</answer>"}]  # fmt: skip
        lines.append({"messages": said, "video": [str(folder / f"{name}.mp4")],
                      "audio": [str(folder / f"{name}.wav")]})  # fmt: skip
    del lines[2]["messages"][1]  # as for GRPO
    lines[2]["solution"] = "<answer>No</answer>"
    path = tmp_path / "data.jsonl"
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def test_a_published_file(published, prepared):
    found = prepared(import_swift=published)
    assert [(row["participant_id"], row["label"], row["end_s"], row["question"])
            for row in sorted(found.windows.to_pylist(), key=lambda row: row["uri"])] == [
        ("90000", 1, 2, None), ("90001", 0, 5, None), ("90002", 0, 2, None),
    ]  # fmt: skip
    assert set(found.videos["split"].to_pylist()) == {"train", "val", "test"}
    one = prepared(import_swift=published, participant_pattern="(Question)", split="1,0,0")
    assert set(one.videos["participant_id"].to_pylist()) == {"Question"}


def test_a_published_file_that_is_wrong(published, faults_of, prepared):
    lines = [json.loads(line) for line in published.read_text().splitlines()]
    lines[0]["video"] = ["a.mp4", "b.mp4"]
    lines.append(lines[1])
    lines.append({**lines[1], "video": "holiday.mp4"})
    published.write_text("".join(json.dumps(line) + "\n" for line in lines))
    several, twice, whose = faults_of(import_swift=published)
    assert several.startswith("data.jsonl:1: `videos` does not name one video; write `")
    assert "is listed a second time (first: line 2); keep one of the lines" in twice
    assert whose.startswith("data.jsonl:5: holiday.mp4 does not tell whose it is; name clips")
    with pytest.raises(ConfigError, match=r"--import-swift .*none\.jsonl"):
        prepared(import_swift=published.parent / "none.jsonl")
