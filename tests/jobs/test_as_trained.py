"""Models that the real ms-swift trained, scored by the whole job with no profile named."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from outputs import run_score

from ah_ray import read_verdicts

SWIFT = Path(__file__).parents[1] / "goldens/swift"
# By `swift-4.6`; `seed` sends every picture through another size.
UNSCALED = {"25438a939790c720-0000", "cafe70f144944b06-0000"}


def expected(column: str) -> dict[str, float]:
    """P(Yes) of ms-swift for each clip."""
    lines = (SWIFT / "expected.tsv").read_text().splitlines()
    rows = csv.DictReader((ln for ln in lines if not ln.startswith("#")), delimiter="\t")
    return {row["clip"]: float(row[column]) for row in rows}


@pytest.mark.heavy
@pytest.mark.parametrize(
    ("adapter", "column", "profile"),
    [("lora_swift400_tf457", "B", "seed"), ("lora_swift460", "A", "swift-4.6")],
)
def test_a_job_without_a_profile_scores_as_ms_swift_does(tmp_path, adapter, column, profile):
    """Sound is that of the mp4 here, and not the wav's: AAC adds up to 0.01."""
    out = tmp_path / "out"
    settings = ("--videos", SWIFT / "clips", "--out", out, "--min-tail-s", 1)
    model = ("--model", SWIFT / "base", "--adapter", SWIFT / adapter)
    ended = run_score(*settings, *model)
    assert ended.returncode == 0, ended.stderr
    assert f"profile {profile}: args.json of {adapter} says ms-swift 4." in ended.stdout
    found = {Path(row["uri"]).stem: row for row in read_verdicts(str(out)).to_pylist()}
    theirs = expected(column)
    assert found.keys() == theirs.keys()
    for clip, row in found.items():
        assert row["profile"] == profile
        is_scaled = profile == "seed" or clip not in UNSCALED
        tolerance = 0.02 if is_scaled else 0.002
        assert row["p_ah"] == pytest.approx(theirs[clip], abs=tolerance), clip
        assert row["answer"] == ("Yes" if theirs[clip] >= 0.5 else "No"), clip
