import json

import pytest
from invented_rows import make_output, row, scoring

from ah_ray import storage
from ah_ray.config import Reduction, Windows
from ah_ray.errors import ConfigError
from ah_ray.profile import load_profile
from ah_ray.results.commit import commit
from ah_ray.results.lease import Lease
from ah_ray.results.outputs import check, claim, keeps_its_own_at, read_config


@pytest.fixture
def out(tmp_path):
    claim(str(tmp_path), scoring(), Reduction())
    return str(tmp_path)


def test_an_empty_one_is_claimed(tmp_path):
    assert read_config(str(tmp_path)) is None
    assert check(str(tmp_path), scoring(), Reduction()) is False
    assert list(tmp_path.iterdir()) == []  # asking writes nothing
    claim(str(tmp_path), scoring(), Reduction())
    assert check(str(tmp_path), scoring(), Reduction()) is True
    assert read_config(str(tmp_path)).scoring == scoring()


def test_the_same_again(out):
    claim(out, scoring(), Reduction())
    moved = scoring().model_copy(update={"model": "elsewhere/model-a"})
    claim(out, moved, Reduction())  # the same weights in another place
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
        claim(out, scoring(**changes), Reduction())
    assert read_config(out).scoring == scoring()
    claim(out, scoring(**changes), Reduction(threshold=0.6), rescore=True)
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
        claim(out, scoring(), reduction, rescore=rescore)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[]", b"{}", b'{"schema_version": 1}', b"\xff", b"null"]
)
def test_a_damaged_one(out, tmp_path, content):
    (tmp_path / "config.json").write_bytes(content)
    with pytest.raises(ConfigError, match=r"config.json is damaged \(.*bring it back"):
        claim(out, scoring(), Reduction(), rescore=True)


def test_a_newer_one(out, tmp_path):
    fields = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(fields | {"schema_version": 2}))
    with pytest.raises(ConfigError, match="upgrade ah_ray"):
        claim(out, scoring(), Reduction())


def test_rows_of_unknown_origin(tmp_path):
    commit(str(tmp_path), row("v", [0.1]), stale=())
    with pytest.raises(ConfigError, match=r"rows but no config.json.*--rescore"):
        claim(str(tmp_path), scoring(), Reduction())
    claim(str(tmp_path), scoring(), Reduction(), rescore=True)


def test_hidden_names(tmp_path):
    claim(str(tmp_path), scoring("/home/anna/omni"), Reduction(), hide_uris=True)
    assert "anna" not in (tmp_path / "config.json").read_text().replace("print-of-/home/anna", "")
    assert read_config(str(tmp_path)).scoring.model == "omni"


def test_where_nothing_can_be_written(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ConfigError, match="--out"):
        claim(str(tmp_path / "file" / "out"), scoring(), Reduction())


def test_no_such_bucket(s3_server):
    with pytest.raises(ConfigError, match=r"--out s3://nowhere-at-all/out"):
        claim("s3://nowhere-at-all/out", scoring(), Reduction())


def test_on_s3(bucket):
    out = f"s3://{bucket}/out"
    claim(out, scoring(), Reduction())
    assert check(out, scoring(), Reduction()) is True


def test_what_an_output_holds_is_its_own(tmp_path):
    out = str(tmp_path)
    make_output(out, {"a": [0.9]})
    with Lease.acquire(out, "run-1"):
        held = [entry.uri for page in storage.list_pages(out) for entry in page]
    assert len(held) > 3
    assert [uri for uri in held if not keeps_its_own_at(out, uri) and "/." not in uri] == []
    for other in ("report.html", "calibration.json", "evaluation/metrics.json"):
        assert not keeps_its_own_at(out, f"{out}/{other}")
    assert not keeps_its_own_at(out, f"{out}-2/config.json")
