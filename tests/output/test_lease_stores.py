"""The lease over stores that differ: right, or refused at the start in one sentence."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
from lease_race import acquire_together
from store_servers import AT_SERVERS

from ah_ray import storage
from ah_ray.errors import (
    ConfigError,
    ObjectMissing,
    OutputBusy,
    PreconditionFailed,
    StorageError,
)
from ah_ray.output.lease import Lease, lease_uri, read_holder
from ah_ray.output.lease_holder import encode_holder

HOLD = """
import sys, time
from ah_ray.errors import AhRayError
from ah_ray.output.lease import Lease
lease = Lease.acquire(sys.argv[1], sys.argv[2], stale_s=float(sys.argv[3]))
print("held", flush=True)
sys.stdin.readline()
try:
    lease.confirm()
    print("still held", flush=True)
except AhRayError as error:
    print(f"{type(error).__name__}: {error}", flush=True)
lease.release()
"""


COUNT = """
import sys
from ah_ray import storage
from ah_ray.errors import PreconditionFailed
uri, name, times = sys.argv[1], sys.argv[2], int(sys.argv[3])
sys.stdin.readline()
while times:
    data, etag = storage.read_versioned(uri)
    count = int(data.split()[0]) + 1
    try:
        storage.replace_if(uri, f"{count} {name} {times}".encode(), etag)
        times -= 1
    except PreconditionFailed:
        pass
"""


HEAVY_STORES = [pytest.param(one, marks=pytest.mark.heavy) for one in ("literal etags", "late")]


@pytest.fixture(params=["as S3", *HEAVY_STORES])
def out(request, bucket, proxy) -> str:
    """An output in a store of this kind, behind the proxy."""
    proxy.etags_are_literal = request.param == "literal etags"
    proxy.delay_s = 0.1 if request.param == "late" else 0.0
    return f"s3://{bucket}/out"


@pytest.fixture(params=["as S3", *HEAVY_STORES, *AT_SERVERS])
def any_out(request, make_bucket) -> str:
    """An output in a store of any kind."""
    if request.param in ("as S3", "literal etags", "late"):
        proxy = request.getfixturevalue("proxy")
        proxy.etags_are_literal = request.param == "literal etags"
        proxy.delay_s = 0.1 if request.param == "late" else 0.0
    return f"{make_bucket(request.param)}/out"


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """A machine that is busy with other work may answer late, which is not what is tested here."""
    patient = storage.Patience(attempts=3, budget_s=60.0, call_timeout_s=60.0)
    monkeypatch.setattr("ah_ray.storage.retry.HASTY", patient)


@pytest.fixture
def holding():
    """Starts a process that holds the lease, and confirms it when it is sent a line."""
    started = []

    def start(out: str, stale_s: float = 60) -> subprocess.Popen:
        process = subprocess.Popen(
            [sys.executable, "-c", HOLD, out, "other", str(stale_s)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def test_taken_renewed_and_given_back(any_out):
    check_taken_renewed_and_given_back(any_out)


def check_taken_renewed_and_given_back(out: str) -> None:
    with Lease.acquire(out, "mine", stale_s=4) as lease:
        first = read_holder(out).renewed_at
        time.sleep(1.5)
        assert read_holder(out).renewed_at > first
        lease.confirm()
    assert read_holder(out) is None


def test_of_two_at_once_one_wins(any_out):
    won, busy = acquire_together(any_out, 2, stale_s=10)
    assert (len(won), len(busy)) == (1, 1)
    assert read_holder(any_out).run_id == won[0].holder.run_id
    won[0].release()


def test_two_processes_that_replace_one_object_lose_no_write(any_out):
    """Each raises a number 10 times, on the condition that nobody else did since it was read."""
    uri = storage.join(any_out, "count.txt")
    storage.create_exclusive(uri, b"0 nobody")
    counting = [
        subprocess.Popen([sys.executable, "-c", COUNT, uri, name, "10"], stdin=subprocess.PIPE)
        for name in ("one", "other")
    ]
    for process in counting:
        process.stdin.write(b"\n")
        process.stdin.close()
    assert [process.wait(timeout=120) for process in counting] == [0, 0]
    assert storage.read_bytes(uri).split()[0] == b"20"


def test_a_killed_holder_is_taken_over_at_once(any_out, holding):
    holding(any_out).send_signal(signal.SIGKILL)
    began = time.monotonic()
    with Lease.acquire(any_out, "mine"):
        assert read_holder(any_out).run_id == "mine"
    assert time.monotonic() - began < 20


def test_a_takeover_takes_few_requests(out, proxy, holding):
    holding(out).send_signal(signal.SIGKILL)
    before = len(proxy.requests)
    Lease.acquire(out, "mine").release()
    assert len(proxy.requests) - before < 60


def test_a_holder_that_was_stalled_learns_that_it_has_lost(any_out, holding):
    out = any_out
    holder = holding(out, stale_s=2)
    holder.send_signal(signal.SIGSTOP)
    with Lease.acquire(out, "mine", stale_s=20):
        holder.send_signal(signal.SIGCONT)
        holder.stdin.write("\n")
        holder.stdin.flush()
        assert holder.stdout.readline().startswith("OutputBusy: run mine (")
        assert holder.wait(timeout=20) == 0
        assert read_holder(out).run_id == "mine", "it did not remove the lease of another"


def test_a_holder_that_was_stalled_and_not_missed_goes_on(out, holding):
    holder = holding(out, stale_s=2)
    holder.send_signal(signal.SIGSTOP)
    time.sleep(3)
    holder.send_signal(signal.SIGCONT)
    assert holder.communicate("\n", timeout=20)[0] == "still held\n"


def test_a_renewal_that_is_refused_is_no_renewal(out, proxy):
    lease = Lease.acquire(out, "mine", stale_s=2)
    before = len(proxy.requests)
    proxy.rule = lambda method, path, _: 412 if method == "PUT" and "lease" in path else None
    assert lease.lost.wait(10)
    with pytest.raises(StorageError, match=r"lease\.json could not be renewed for so long"):
        lease.confirm()
    assert len(proxy.requests) - before < 100
    lease.release()


def test_a_renewal_without_a_response_still_names_the_run_that_took_over(out, proxy):
    """As in a process that was stopped while it waited for a response: it gave up, but not why."""
    lease = Lease.acquire(out, "mine", stale_s=2)
    theirs = replace(lease.holder, run_id="theirs", host="elsewhere")
    storage.write_whole(lease_uri(out), encode_holder(theirs))
    proxy.rule = lambda method, path, _: "never" if method == "PUT" and "lease" in path else None
    assert lease.lost.wait(10)
    with pytest.raises(OutputBusy, match=r"run theirs .* has taken"):
        lease.check()
    lease.release()


def test_a_lease_that_its_store_will_not_replace_ends_in_one_sentence(out, proxy, holding):
    """It was thousands of requests, in a loop that said nothing and did not end."""
    holding(out).kill()
    before = len(proxy.requests)

    def rule(method: str, path: str, _count: int) -> int | None:
        return 412 if method == "PUT" and "lease.json" in path else None

    proxy.rule = rule
    with pytest.raises(StorageError, match=r"lease\.json is left over from run other .* refuses"):
        Lease.acquire(out, "mine")
    assert len(proxy.requests) - before < 60


def test_answers_that_contradict_each_other_end_in_one_sentence(out, proxy, monkeypatch):
    """It cannot be created, since it is there, and it cannot be read, since it is not."""
    monkeypatch.setattr("ah_ray.output.lease._GRACE_S", 1.0)
    proxy.rule = lambda method, path, _: (
        {"PUT": 412, "GET": 404}.get(method) if "lease.json" in path else None
    )
    with pytest.raises(StorageError, match=r"could not be taken within \d s, though nobody alive"):
        Lease.acquire(out, "mine")


def test_a_store_that_ignores_conditions_is_refused(bucket, proxy):
    proxy.ignores_conditions = True
    with pytest.raises(ConfigError, match=r"kept apart .*created an object twice.*--no-lease"):
        Lease.acquire(f"s3://{bucket}/out", "mine")
    with pytest.raises(ObjectMissing):  # nothing is left of the trial
        list(storage.list_pages(f"s3://{bucket}"))
    with Lease.without(f"s3://{bucket}/out", "mine") as lease:
        lease.confirm()


@pytest.mark.servers
def test_a_server_that_ignores_conditions_is_refused(make_bucket):
    out = f"{make_bucket('s3rver')}/out"
    with pytest.raises(ConfigError, match=r"kept apart .*created an object twice.*--no-lease"):
        Lease.acquire(out, "mine")


def test_a_store_that_ignores_if_match_alone_is_refused(bucket, proxy, monkeypatch):
    def ignored(uri, data, etag):
        storage.write_whole(uri, data)
        return "etag"

    monkeypatch.setattr("ah_ray.storage.objects.replace_if", ignored)
    with pytest.raises(ConfigError, match=r"replaced an object although the etag was another"):
        Lease.acquire(f"s3://{bucket}/out", "mine")


def test_where_removal_has_no_condition_the_lease_is_given_up_in_writing(bucket, monkeypatch):
    """Else a run could remove the lease of the one that took over from it."""
    out = f"s3://{bucket}/out"
    monkeypatch.setattr("ah_ray.storage.objects.remove_if", lambda uri, _: storage.remove([uri]))
    monkeypatch.setattr("ah_ray.storage.remove_if", None)
    with Lease.acquire(out, "first"):
        assert read_holder(out).run_id == "first"
    assert storage.exists(lease_uri(out)) and read_holder(out) is None
    began = time.monotonic()
    with Lease.acquire(out, "second"):
        assert read_holder(out).run_id == "second"
    assert time.monotonic() - began < 10


def test_a_store_that_answers_too_late_is_refused(bucket, proxy, monkeypatch):
    hasty = storage.Patience(attempts=1, budget_s=0.5, call_timeout_s=0.5)
    monkeypatch.setattr("ah_ray.storage.retry.HASTY", hasty)
    proxy.delay_s = 2.0
    with pytest.raises(ConfigError, match=r"kept apart .*failed 1 times"):
        Lease.acquire(f"s3://{bucket}/out", "mine")


class TestEtags:
    """Every request with a condition, to a store that takes etags only without quotes."""

    @pytest.fixture(autouse=True)
    def literal(self, proxy):
        proxy.etags_are_literal = True

    def test_each_kind_of_request(self, bucket, proxy, tmp_path):
        uri = f"s3://{bucket}/x"
        etag = storage.create_exclusive(uri, b"content")
        assert storage.read_range(uri, 1, 3, etag=etag) == b"on"
        assert storage.open_read(uri).read() == b"content"
        storage.download(uri, tmp_path / "x", etag=etag, size_bytes=7)
        assert (tmp_path / "x").read_bytes() == b"content"
        etag = storage.replace_if(uri, b"more", etag)
        storage.replace_file(uri, tmp_path / "x", etag)
        storage.remove_if(uri, storage.stat(uri).etag)
        assert not storage.exists(uri)

    def test_another_object_is_refused_all_the_same(self, bucket):
        uri = f"s3://{bucket}/x"
        etag = storage.create_exclusive(uri, b"content")
        for _ in range(2):  # before a form is known to work, and after
            with pytest.raises(PreconditionFailed):
                storage.replace_if(uri, b"of another", "0" * 32)
            etag = storage.replace_if(uri, b"again", etag)

    def test_a_lease_is_taken_renewed_and_given_back(self, bucket):
        check_taken_renewed_and_given_back(f"s3://{bucket}/out")

    def test_the_form_is_learnt_once(self, bucket, proxy):
        uri = f"s3://{bucket}/x"
        etag = storage.create_exclusive(uri, b"0")
        etag = storage.replace_if(uri, b"1", etag)
        before = len(proxy.requests)
        for n in range(5):
            etag = storage.replace_if(uri, f"again {n}".encode(), etag)
        assert len(proxy.requests) - before == 5
