"""Writes of a run that another one has taken over from, on a folder, on S3 and on its likes."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace

import pytest
from invented_rows import row, scoring

from ah_ray import storage
from ah_ray.config import Reduction
from ah_ray.errors import LeaseLost, ObjectMissing, OutputBusy, StorageError
from ah_ray.output import lease as leases
from ah_ray.output import row_files as commits
from ah_ray.output import rows_folder
from ah_ray.output.config import make_config, write_config
from ah_ray.output.guarded_write import write_guarded
from ah_ray.output.lease import Lease, lease_uri, read_holder
from ah_ray.output.lease_guard import make_guard
from ah_ray.output.row_files import commit_row

OURS, THEIRS = b"of the run that was stopped", b"of the run that took over"


@pytest.fixture(params=["local", "as S3", "literal etags"])
def out(request, tmp_path) -> str:
    if request.param == "local":
        return str(tmp_path / "out")
    bucket, proxy = (request.getfixturevalue(name) for name in ("bucket", "proxy"))
    proxy.etags_are_literal = request.param == "literal etags"
    return f"s3://{bucket}/out"


@pytest.fixture
def lease(out):
    with Lease.acquire(out, "ours") as held:
        yield held


def take_over(out: str) -> None:
    """Put the lease of a run of another machine in the place of the one that lies there."""
    foreign = replace(read_holder(out), run_id="theirs", host="elsewhere", boot_id="another")
    storage.write_whole(lease_uri(out), json.dumps(asdict(foreign)).encode())


class TestAnObject:
    def test_is_created_and_replaced(self, out):
        uri = storage.join(out, "x")
        assert write_guarded(uri, b"1", lambda: None).is_new
        assert not write_guarded(uri, b"2", lambda: None).is_new
        written = write_guarded(uri, b"3", lambda: None, is_probably_new=True)
        assert (written.is_new, storage.read_bytes(uri)) == (False, b"3")
        storage.remove_if(uri, written.etag)

    @pytest.mark.parametrize("is_there", [False, True])
    @pytest.mark.parametrize("is_probably_new", [False, True])
    def test_of_another_run_is_not_written_over(self, out, is_there, is_probably_new):
        """It was stopped after it had last confirmed that OUT was its own."""
        uri, calls = storage.join(out, "x"), []
        if is_there:
            storage.write_whole(uri, b"of the night before")

        def confirm() -> None:
            calls.append("confirm")
            if len(calls) == 2:
                raise LeaseLost("another run has taken over")
            storage.write_whole(uri, THEIRS)

        with pytest.raises(LeaseLost):
            write_guarded(uri, OURS, confirm, is_probably_new=is_probably_new)
        assert storage.read_bytes(uri) == THEIRS

    def test_that_changes_again_and_again_is_a_sentence(self, out):
        uri, calls = storage.join(out, "x"), []

        def confirm() -> None:
            calls.append(1)
            storage.write_whole(uri, f"{len(calls)}".encode())

        with pytest.raises(StorageError, match="again and again by another writer"):
            write_guarded(uri, OURS, confirm)
        assert len(calls) == 3

    def test_that_was_removed_meanwhile_is_created(self, out):
        uri = storage.join(out, "x")
        storage.write_whole(uri, b"old")
        confirm = lambda: storage.remove([uri])  # noqa: E731
        assert write_guarded(uri, OURS, confirm).is_new

    def test_in_no_bucket_is_reported_immediately(self, bucket):
        with pytest.raises(ObjectMissing, match="NoSuchBucket"):
            write_guarded("s3://nowhere-at-all/x", OURS, lambda: None)


def paused(monkeypatch, then) -> None:
    """Have the next row wait between the look at the lease and its write; `then` happens."""
    create, waiting = storage.create_exclusive, [then]

    def create_later(uri: str, data: bytes) -> str:
        if waiting and "/videos/" in uri:
            waiting.pop()()
        return create(uri, data)

    monkeypatch.setattr("ah_ray.output.guarded_write.storage.create_exclusive", create_later)


class TestARow:
    @pytest.fixture(autouse=True)
    def no_time_passes(self, monkeypatch):
        """As if each step took longer than a process believes what it read of the lease."""
        monkeypatch.setattr("ah_ray.output.lease_guard.BELIEVED_S", 0.0)

    def place_of(self, out: str, made: dict) -> str:
        name = commits.row_name(made["video_id"], made["etag"], made["config_fingerprint"])
        return storage.join(rows_folder(out), name)

    def test_is_not_written_over_the_row_of_the_run_that_took_over(self, out, lease, monkeypatch):
        made = row("v", [0.1])
        uri = self.place_of(out, made)

        def meanwhile() -> None:
            take_over(out)
            storage.write_whole(uri, THEIRS)

        paused(monkeypatch, meanwhile)
        with pytest.raises(LeaseLost, match=r"lease\.json is no longer this run's"):
            commit_row(out, made, guard=make_guard(lease))
        assert storage.read_bytes(uri) == THEIRS

    def test_of_a_video_that_was_withdrawn_meanwhile_is_taken_back(self, out, lease, monkeypatch):
        made = row("v", [0.1])
        paused(monkeypatch, lambda: take_over(out))
        with pytest.raises(LeaseLost):
            commit_row(out, made, guard=make_guard(lease))
        assert not storage.exists(self.place_of(out, made))

    def test_that_replaced_an_earlier_one_stays(self, out, lease, monkeypatch):
        """The run that took over may count on a row of this name."""
        guard = make_guard(lease)
        first, second = row("v", [0.1], run_id="first"), row("v", [0.1], run_id="second")
        commit_row(out, first, guard=guard)
        replace_if = storage.replace_if

        def replace_then_lose(uri: str, data: bytes, etag: str) -> str:
            etag = replace_if(uri, data, etag)
            take_over(out)
            return etag

        monkeypatch.setattr("ah_ray.output.guarded_write.storage.replace_if", replace_then_lose)
        with pytest.raises(LeaseLost):
            commit_row(out, second, guard=guard)
        assert storage.exists(self.place_of(out, first))

    def test_of_the_same_run_is_replaced(self, out, lease):
        guard = make_guard(lease)
        for attempt in range(3):
            commit_row(out, row("v", [0.1], run_id=f"run-{attempt}"), guard=guard)

    def test_costs_one_request_where_there_was_none_before(self, bucket, proxy, monkeypatch):
        """Besides the look at the lease, which one in a second is enough for."""
        out = f"s3://{bucket}/out"
        monkeypatch.setattr("ah_ray.output.lease_guard.BELIEVED_S", 60.0)
        with Lease.acquire(out, "ours") as lease:
            guard = make_guard(lease)
            commit_row(out, row("first", [0.1]), guard=guard)
            before = len(proxy.requests)
            for n in range(5):
                commit_row(out, row(f"v{n}", [0.1]), guard=guard)
            of_rows = [path for _, path in proxy.requests[before:] if "/videos/" in path]
            assert len(of_rows) == 5
            assert not any("lease" in path and m == "GET" for m, path in proxy.requests[before:])

    def test_without_a_lease_is_written_unconditionally(self, out):
        made = row("v", [0.1])
        storage.write_whole(self.place_of(out, made), THEIRS)
        commit_row(out, made)
        assert storage.read_bytes(self.place_of(out, made)) != THEIRS


def test_the_configuration_of_the_run_that_took_over_stays(out, lease):
    """And the error is that of the lease: nothing is wrong with the settings."""
    config = make_config(scoring(), Reduction())
    uri = storage.join(out, "config.json")

    def confirm() -> None:
        if not storage.exists(uri):
            storage.write_whole(uri, THEIRS)
            return
        take_over(out)
        lease.confirm()

    with pytest.raises(OutputBusy, match=r"run theirs .* has taken"):
        write_config(out, config, confirm)
    assert storage.read_bytes(uri) == THEIRS


HOLD = """
import sys
from ah_ray.output.lease import Lease
lease = Lease.acquire(sys.argv[1], "theirs", stale_s=4)
print("held", flush=True)
sys.stdin.read()
"""


def test_who_takes_over_waits_until_nobody_believes_the_lease_to_be_his(out):
    """Processes of a killed driver write on for a moment; what they write must not come later."""
    holding = subprocess.Popen(
        [sys.executable, "-c", HOLD, out],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert holding.stdout.readline() == "held\n"
        guard = make_guard(Lease(out=out, holder=read_holder(out)))
        guard.check()
        time.sleep(1.5)  # it has been renewed, so it is certainly alive …
        guard.check()
        holding.send_signal(signal.SIGKILL)  # … and is dead
        holding.wait()
        began = time.monotonic()
        with Lease.acquire(out, "ours"):
            assert leases.BELIEVED_S <= time.monotonic() - began < 20
            with pytest.raises(LeaseLost):
                guard.check()
    finally:
        holding.kill()
        holding.communicate()
