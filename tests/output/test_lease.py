"""One run per OUT, on a folder and on S3, with real processes that really die."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import asdict, replace

import pytest
from lease_race import acquire_together

from ah_ray import storage
from ah_ray.errors import ObjectMissing, OutputBusy, StorageError
from ah_ray.output.lease import Lease, lease_uri, read_holder

HOLD = """
import sys, time
from ah_ray.output.lease import Lease
lease = Lease.acquire(sys.argv[1], sys.argv[2], stale_s=float(sys.argv[3]))
print("held", flush=True)
time.sleep(600)
"""


@pytest.fixture(params=["local", "s3"])
def out(request, tmp_path) -> str:
    if request.param == "local":
        return str(tmp_path / "out")
    return f"s3://{request.getfixturevalue('bucket')}/out"


@pytest.fixture
def holding_process(out):
    """Starts a process that holds the lease until it is killed."""
    started = []

    def start(run_id: str = "other", stale_s: float = 60) -> subprocess.Popen:
        command = [sys.executable, "-c", HOLD, out, run_id, str(stale_s)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        started.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()
        process.stdout.close()


def as_of_another_machine(out: str, **changes) -> None:
    """Makes the lease that lies there look like one of a machine that we cannot look into."""
    holder = read_holder(out)
    assert holder is not None
    foreign = replace(holder, host="elsewhere", boot_id="another", **changes)
    storage.write_whole(lease_uri(out), json.dumps(asdict(foreign)).encode())


def test_is_there_while_held_and_gone_after(out):
    with Lease.acquire(out, "run-1") as lease:
        holder = read_holder(out)
        assert holder == lease.holder
        assert (holder.run_id, holder.pid) == ("run-1", os.getpid())
    assert read_holder(out) is None
    with Lease.acquire(out, "run-2"):
        assert read_holder(out).run_id == "run-2"


def test_a_live_holder_is_named_and_not_disturbed(out, holding_process):
    holder = holding_process(stale_s=2)
    with pytest.raises(OutputBusy, match=rf"run other \(process {holder.pid} on .*, since 20"):
        Lease.acquire(out, "mine")
    assert read_holder(out).run_id == "other"


def test_a_killed_holder_on_this_machine_is_taken_over_at_once(out, holding_process):
    holder = holding_process(stale_s=60)
    holder.send_signal(signal.SIGKILL)  # and not waited for: it stays a zombie
    began = time.monotonic()
    with Lease.acquire(out, "mine"):
        assert time.monotonic() - began < 20
        assert read_holder(out).run_id == "mine"


def test_a_reused_pid_is_not_taken_for_the_holder(out):
    with Lease.acquire(out, "first") as lease:
        reused = replace(lease.holder, process_started=lease.holder.process_started - 1)
        storage.write_whole(lease_uri(out), json.dumps(asdict(reused)).encode())
        began = time.monotonic()
        with Lease.acquire(out, "second"):
            assert time.monotonic() - began < 20


def test_a_silent_holder_elsewhere_is_waited_for_then_taken_over(out, holding_process):
    holding_process().kill()
    as_of_another_machine(out, stale_s=1.5)
    began = time.monotonic()
    with Lease.acquire(out, "mine"):
        assert 1.5 <= time.monotonic() - began < 20
        assert read_holder(out).run_id == "mine"


def test_a_damaged_lease_goes_stale_as_any_other(out, monkeypatch):
    monkeypatch.setattr("ah_ray.output.lease.STALE_S", 1.0)
    storage.write_whole(lease_uri(out), b'{"run_id": "half')
    began = time.monotonic()
    with Lease.acquire(out, "mine"):
        assert time.monotonic() - began >= 1.0


def test_it_is_renewed_and_so_outlives_its_stale_time(out):
    # Long enough for a machine that is so busy that a renewal takes a second.
    with Lease.acquire(out, "mine", stale_s=3) as lease:
        first = read_holder(out).renewed_at
        time.sleep(3.5)
        assert read_holder(out).renewed_at > first
        assert not lease.lost.is_set()


def test_a_holder_learns_that_it_was_taken_over_and_leaves_the_new_one(out):
    with Lease.acquire(out, "mine", stale_s=1) as lease:
        as_of_another_machine(out, run_id="thief")
        lease.check()
        assert lease.lost.wait(10)
        with pytest.raises(OutputBusy, match=r"^run thief \(.*\) has taken .*lease\.json"):
            lease.check()
    assert read_holder(out).run_id == "thief"


def test_a_lease_that_was_removed_is_not_called_anothers(out):
    with Lease.acquire(out, "mine", stale_s=1) as lease:
        storage.remove([lease_uri(out)])
        assert lease.lost.wait(10)
        with pytest.raises(StorageError, match=r"lease\.json is gone: it was removed, or all of"):
            lease.check()


def test_a_holder_that_cannot_renew_gives_up_before_others_may_take_over(bucket, monkeypatch):
    lease = Lease.acquire(f"s3://{bucket}/out", "mine", stale_s=4)
    began = time.monotonic()
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert lease.lost.wait(8)
    assert time.monotonic() - began < 5
    with pytest.raises(StorageError, match=r"lease\.json could not be renewed for so long that"):
        lease.check()
    lease.release()


def test_an_error_that_nobody_expects_is_a_loss_and_not_the_silent_end_of_renewals(
    tmp_path, monkeypatch
):
    with Lease.acquire(str(tmp_path), "mine", stale_s=1) as lease:

        def fail(*_: object) -> str:
            raise RuntimeError("of a driver")

        monkeypatch.setattr("ah_ray.storage.replace_if", fail)
        assert lease.lost.wait(10)
        with pytest.raises(StorageError, match=r"could not be renewed: RuntimeError\('of a driver"):
            lease.check()


def test_a_renewal_whose_answer_was_lost_is_no_loss(out):
    with Lease.acquire(out, "mine", stale_s=1) as lease:
        ours = replace(lease.holder, renewed_at="written, but the answer never came")
        storage.write_whole(lease_uri(out), json.dumps(asdict(ours), indent=1).encode())
        time.sleep(1)
        assert not lease.lost.is_set()
    with pytest.raises(ObjectMissing):
        storage.stat(lease_uri(out))


def test_of_several_newcomers_at_a_dead_lease_one_wins(holding_process, out, request):
    if out.startswith("s3://"):
        request.getfixturevalue("proxy")  # one request at a time: moto alone is not atomic
    holding_process().kill()
    won, busy = acquire_together(out, 6, stale_s=1)
    assert (len(won), len(busy)) == (1, 5)
    assert read_holder(out).run_id == won[0].holder.run_id
    won[0].release()
