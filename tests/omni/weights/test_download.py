"""A model in an object store: told from another where it lies, copied once to a machine."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from adapter_files import swift_factors, write_adapter
from layouts import sharded

from ah_ray.errors import ConfigError, StorageError
from ah_ray.omni.weights import download
from ah_ray.omni.weights.checkpoint import find_checkpoint, fingerprint, name_model
from ah_ray.omni.weights.download import fetch_adapter, fetch_checkpoint

Q = "thinker.model.layers.1.self_attn.q_proj.weight"


@pytest.fixture
def model(tiny, tmp_path) -> Path:
    """Three shards and an index."""
    sharded(tiny, tmp_path / "model")
    return tmp_path / "model"


@pytest.fixture
def upload(bucket, s3_client):
    def put(folder: Path, name: str = "omni") -> str:
        for path in folder.iterdir():
            s3_client.upload_file(str(path), bucket, f"models/{name}/{path.name}")
        return f"s3://{bucket}/models/{name}"

    return put


def test_checked_and_fingerprinted_where_it_lies(model, upload, tmp_path):
    uri = upload(model)
    assert find_checkpoint(f"{uri}/") == find_checkpoint(uri) == uri
    assert fingerprint(uri) == fingerprint(model)
    assert name_model(uri) == name_model(f"{uri}/") == "omni"


@pytest.mark.parametrize(
    ("absent", "message"),
    [
        ("config.json", r"no config\.json"),
        ("tokenizer.json", "no tokenizer"),
        ("model-00002-of-00003.safetensors", "1 of 3 weight files are absent"),
    ],
)
def test_what_is_missing_is_reported(absent, message, model, upload):
    (model / absent).unlink()
    with pytest.raises(ConfigError, match=message):
        find_checkpoint(upload(model))


def test_a_place_without_anything(bucket):
    with pytest.raises(ConfigError, match="cannot be read"):
        find_checkpoint(f"s3://{bucket}/nothing")
    with pytest.raises(ConfigError, match="cannot be read"):
        find_checkpoint("s3://no-such-bucket-anywhere/omni")


def test_a_local_model_is_used_in_place(tiny, tmp_path):
    assert fetch_checkpoint(str(tiny), tmp_path / "cache") == tiny
    assert not (tmp_path / "cache").exists()


def test_copied_once_with_its_size_and_rate(model, upload, tmp_path, s3_client, bucket):
    uri, said = upload(model), []
    s3_client.put_object(Bucket=bucket, Key="models/omni/pytorch_model.bin", Body=b"pickle")
    copy = fetch_checkpoint(uri, tmp_path / "cache", said.append)
    assert copy.parent == tmp_path / "cache" and copy.name.startswith("omni-")
    wanted = {path.name for path in model.iterdir() if path.suffix in (".json", ".safetensors")}
    assert {path.name for path in copy.iterdir()} == wanted
    for name in wanted:
        assert (copy / name).read_bytes() == (model / name).read_bytes()
    assert len(said) == 2
    assert f"copying {uri} to {copy}: 7 files, 0.00 GB" in said[0]
    assert "MB/s" in said[1]
    again = []
    assert fetch_checkpoint(uri, tmp_path / "cache", again.append) == copy
    assert again == []


def test_a_broken_off_copy_goes_on(model, upload, tmp_path, monkeypatch):
    """What was whole is not copied again; what was not, is."""
    uri, copied = upload(model), []
    copy_file = download._copy_file

    def faulty(folder, name, partial):
        if name.startswith("model-00003"):
            (partial / f"{name}.part").write_bytes(b"half")
            raise StorageError("the network is down")
        copy_file(folder, name, partial)

    monkeypatch.setattr(download, "_copy_file", faulty)
    with pytest.raises(StorageError, match="network is down"):
        fetch_checkpoint(uri, tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("omni-*"))
    monkeypatch.setattr(
        download, "_copy_file", lambda f, name, p: (copied.append(name), copy_file(f, name, p))
    )
    copy = fetch_checkpoint(uri, tmp_path / "cache")
    assert "model-00003-of-00003.safetensors" in copied
    assert "model-00001-of-00003.safetensors" not in copied
    assert fingerprint(copy) == fingerprint(model)
    assert not list((tmp_path / "cache").glob(".*.partial"))


def test_a_damaged_copy_is_made_again(model, upload, tmp_path):
    uri = upload(model)
    copy = fetch_checkpoint(uri, tmp_path / "cache")
    shard = copy / "model-00002-of-00003.safetensors"
    shard.write_bytes(shard.read_bytes()[:1_000])
    assert fetch_checkpoint(uri, tmp_path / "cache") == copy
    assert fingerprint(copy) == fingerprint(model)


def test_a_changed_model_is_another_copy(model, upload, tmp_path):
    first = fetch_checkpoint(upload(model), tmp_path / "cache")
    expected = fingerprint(first)
    config = json.loads((model / "config.json").read_text())
    config["thinker_config"]["position_id_per_seconds"] = 25
    (model / "config.json").write_text(json.dumps(config))
    uri = upload(model)
    second = fetch_checkpoint(uri, tmp_path / "cache")
    assert second != first and fingerprint(second) != expected
    with pytest.raises(ConfigError, match="has changed since this run began; start it again"):
        fetch_checkpoint(uri, tmp_path / "cache", expected_fingerprint=expected)


def test_processes_of_a_node_share_one_copy(model, upload, tmp_path):
    uri = upload(model)
    code = (
        "import time; from pathlib import Path\n"
        "from ah_ray.omni.weights import download\n"
        "copy_file = download._copy_file\n"
        "def slow(*args): time.sleep(0.5); copy_file(*args)\n"
        "download._copy_file = slow\n"
        f"download.fetch_checkpoint({uri!r}, Path({str(tmp_path / 'cache')!r}))"
    )
    started = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    said = [process.communicate(timeout=120)[0] for process in started]
    assert [process.returncode for process in started] == [0, 0, 0]
    assert sum("copying" in text for text in said) == 1
    assert len(list((tmp_path / "cache").glob("omni-*"))) == 1


def test_no_room(model, upload, tmp_path, monkeypatch):
    full = shutil._ntuple_diskusage(10, 9, 1)
    monkeypatch.setattr(download.shutil, "disk_usage", lambda _: full)
    with pytest.raises(ConfigError, match="GB left; make room, or name another cache directory"):
        fetch_checkpoint(upload(model), tmp_path / "cache")


def test_no_room_on_a_real_disk(model, upload, small_disk):
    with pytest.raises(ConfigError, match="GB left; make room, or name another cache directory"):
        fetch_checkpoint(upload(model), small_disk / "cache")


def test_a_home_that_cannot_be_written_to(model, upload, monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/proc")  # where not even root makes a folder
    with pytest.raises(
        ConfigError, match=r"/proc/\.cache/.*name another cache directory \(--model"
    ):
        fetch_checkpoint(upload(model))


def test_an_adapter_from_a_bucket(upload, tmp_path):
    adapter = write_adapter(tmp_path / "lora", swift_factors({Q: (96, 96)}))
    copy = fetch_adapter(upload(adapter, "lora"), tmp_path / "cache")
    assert copy.parent == tmp_path / "cache"
    assert fingerprint(find_checkpoint("tiny"), [copy]) == fingerprint(
        find_checkpoint("tiny"), [fetch_adapter(str(adapter))]
    )
