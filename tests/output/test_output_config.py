import json

import pytest
from invented_rows import make_output, row, scoring

from ah_ray import storage
from ah_ray.config import Reduction, Windows
from ah_ray.errors import ConfigError
from ah_ray.output.config import check_config, claim_output, is_own_file, read_config
from ah_ray.output.lease import Lease
from ah_ray.output.row_files import commit_row
from ah_ray.profile import load_profile
from ah_ray.provenance.learned_from import Use, learned_from


@pytest.fixture
def out(tmp_path):
    claim_output(str(tmp_path), scoring(), Reduction())
    return str(tmp_path)


def test_an_empty_one_is_claimed(tmp_path):
    assert read_config(str(tmp_path)) is None
    assert check_config(str(tmp_path), scoring(), Reduction()) is False
    assert list(tmp_path.iterdir()) == []  # asking writes nothing
    claim_output(str(tmp_path), scoring(), Reduction())
    assert check_config(str(tmp_path), scoring(), Reduction()) is True
    assert read_config(str(tmp_path)).scoring == scoring()


def test_the_same_again(out):
    claim_output(out, scoring(), Reduction())
    moved = scoring().model_copy(update={"model": "elsewhere/model-a"})
    claim_output(out, moved, Reduction())  # the same weights in another place
    assert read_config(out).scoring.model == "model-a"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"profile": load_profile("seed")}, r"profile tiny → seed\)"),
        (
            {"model_fingerprint": "other"},
            r"\(model_fingerprint print-of-model-a → other\)",
        ),
        ({"windows": Windows(hop_s=2.5)}, r"\(windows.hop_s 5.0 → 2.5\)"),
        ({"arithmetic": "bf16"}, r"\(arithmetic float32 → bf16\)"),
        (
            {"profile": load_profile("tiny").model_copy(update={"fps": 4.0})},
            r"\(profile.fps 2.0 → 4.0\)",
        ),
    ],
)
def test_another_scoring(out, changes, said):
    with pytest.raises(ConfigError, match=said + r".*choose another --out.*--rescore"):
        claim_output(out, scoring(**changes), Reduction())
    assert read_config(out).scoring == scoring()
    claim_output(out, scoring(**changes), Reduction(threshold=0.6), rescore=True)
    assert read_config(out).scoring == scoring(**changes)
    assert read_config(out).reduction.threshold == 0.6


@pytest.mark.parametrize("rescore", [False, True])
@pytest.mark.parametrize(
    ("reduction", "said"),
    [
        (Reduction(reducer="mean"), "reducer any → mean"),
        (Reduction(threshold=0.25), "threshold 0.5 → 0.25"),
        (Reduction(calibration_fingerprint="c"), "calibration_fingerprint none → c"),
    ],
)
def test_another_reduction_needs_no_scoring(out, reduction, said, rescore):
    with pytest.raises(ConfigError, match=rf"{said}.*jobs/reduce.py"):
        claim_output(out, scoring(), reduction, rescore=rescore)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b'{"schema_version": 1}', b"\xff", b"null"]
)
def test_a_damaged_one(out, tmp_path, content):
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(ConfigError, match=r"config.json is damaged \(.*bring it back"):
        claim_output(out, scoring(), Reduction(), rescore=True)


def test_a_newer_one(out, tmp_path):
    fields = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(fields | {"schema_version": 99}))
    with pytest.raises(ConfigError, match="upgrade ah_ray"):
        claim_output(out, scoring(), Reduction())


def test_rows_of_unknown_origin(tmp_path):
    commit_row(str(tmp_path), row("v", [0.1]), stale=())
    with pytest.raises(ConfigError, match=r"rows but no config.json.*--rescore"):
        claim_output(str(tmp_path), scoring(), Reduction())
    claim_output(str(tmp_path), scoring(), Reduction(), rescore=True)


def test_hidden_names(tmp_path):
    claim_output(str(tmp_path), scoring("/home/anna/omni"), Reduction(), hide_uris=True)
    assert "anna" not in (tmp_path / "config.json").read_text().replace("print-of-/home/anna", "")
    assert read_config(str(tmp_path)).scoring.model == "omni"


def test_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match="--out"):
        claim_output(str(tmp_path / "file" / "out"), scoring(), Reduction())


def test_no_such_bucket(s3_server):
    with pytest.raises(ConfigError, match=r"--out s3://nowhere-at-all/out"):
        claim_output("s3://nowhere-at-all/out", scoring(), Reduction())


def test_on_s3(bucket):
    out = f"s3://{bucket}/out"
    claim_output(out, scoring(), Reduction())
    assert check_config(out, scoring(), Reduction()) is True


def test_what_an_output_holds_is_its_own(tmp_path):
    out = str(tmp_path)
    make_output(out, {"a": [0.9]})
    with Lease.acquire(out, "run-1"):
        held = [entry.uri for page in storage.list_pages(out) for entry in page]
    assert len(held) > 3
    assert [uri for uri in held if not is_own_file(out, uri) and "/." not in uri] == []
    for other in ("report.html", "calibration.json", "evaluation/metrics.json"):
        assert not is_own_file(out, f"{out}/{other}")
    assert not is_own_file(out, f"{out}-2/config.json")


def test_whose_videos_a_model_knows_is_added_to_an_earlier_configuration(out):
    """An output of an earlier version gets the record with the next run; nothing else changes."""
    record = learned_from(
        Use.TRAINING, data_fingerprint="f", participants=["ann"], contents=[], by="model m"
    )
    before = read_config(out)
    claim_output(out, scoring(), Reduction(), learned_from=[record])
    claim_output(out, scoring(), Reduction(), learned_from=[record])
    assert read_config(out) == before.model_copy(update={"learned_from": (record,)})
    claim_output(out, scoring(), Reduction())
    assert read_config(out).learned_from == (record,), "a record stays"
