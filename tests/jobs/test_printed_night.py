"""The night as the documents print it: crontab line and systemd unit, by an ordinary user.

Each runs in a mount namespace of its own, where this repository lies in /opt/ah_ray, `head` is a
head that asks for a token, and the environment is as empty as cron's.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.metadata import distribution
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from outputs import ROOT, verdicts
from ray_head import Head, ray_head

from ah_ray.omni.weights.checkpoint import find_checkpoint

NOBODY = 65534
NAMESPACE = ["unshare", "--mount", "--propagation", "private"]
CRONTAB = re.compile(r"^0 22 \* \* \*  (.*)$", re.MULTILINE)


def can_mount() -> bool:
    try:
        return subprocess.run([*NAMESPACE, "true"], check=False).returncode == 0
    except OSError:
        return False


pytestmark = [
    pytest.mark.heavy,
    pytest.mark.skipif(not can_mount(), reason="run it as root, with unshare: it mounts /opt"),
]


@contextmanager
def forwarded(port: int) -> Iterator[str]:
    """An address of this machine whose port 8265 is that port."""
    address = "127.0.82.65"
    with socket.create_server((address, 8265)) as server:
        threading.Thread(target=_serve, args=(server, port), daemon=True).start()
        yield address


def _serve(server: socket.socket, port: int) -> None:
    while True:
        try:
            client, _ = server.accept()
        except OSError:
            return
        head = socket.create_connection(("127.0.0.1", port))
        for pair in ((client, head), (head, client)):
            threading.Thread(target=_pump, args=pair, daemon=True).start()


def _pump(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(1 << 16):
            target.sendall(data)
        target.shutdown(socket.SHUT_WR)
    except OSError:
        target.close()


class Machine:
    """What stands in the place of /opt, /etc, /var/log and the user's home."""

    def __init__(self, folder: Path, head: Head, address: str, endpoint: str):
        self.folder, self.head = folder, head
        ignored = shutil.ignore_patterns(".git", ".venv", "__pycache__", ".*_cache", "shared")
        shutil.copytree(ROOT, folder / "opt" / "ah_ray", ignore=ignored, symlinks=True)
        (folder / "opt" / "ah_ray" / ".venv").mkdir()
        (folder / "log" / "ah_ray").mkdir(parents=True)
        subprocess.run(["cp", "-a", "/etc", folder / "etc"], check=True)
        with (folder / "etc" / "hosts").open("a") as hosts:
            hosts.write(f"\n{address} head\n")
        (folder / "home" / ".ray").mkdir(parents=True)
        (folder / "home" / ".aws").mkdir()
        (folder / "home" / ".aws" / "config").write_text(
            f"[default]\nregion = us-east-1\nendpoint_url = {endpoint}\n"
            "aws_access_key_id = test\naws_secret_access_key = test\n"
        )
        self.give_token(head.environment["RAY_AUTH_TOKEN"])
        for part in ("home", "log/ah_ray"):
            subprocess.run(["chown", "-R", str(NOBODY), folder / part], check=True)
        (folder / "python").mkdir()

    def give_token(self, token: str | None) -> None:
        file = self.folder / "home" / ".ray" / "auth_token"
        file.unlink(missing_ok=True)
        if token is not None:
            file.write_text(token)
            file.chmod(0o600)
            os.chown(file, NOBODY, NOBODY)

    def run(self, command: str, **environment: str) -> subprocess.CompletedProcess:
        """`command` for the shell, as an ordinary user, with what cron gives and no more."""
        lines = _python_opened(self.folder / "python")
        mounts = {"opt": "/opt", "log": "/var/log", "etc": "/etc", "home": "/home"}
        lines += [f"mount --bind {self.folder / part} {place}" for part, place in mounts.items()]
        lines.append(f"mount --bind /opt/ah_ray {installed_from()}")
        lines.append(f"mount --bind {sys.prefix} /opt/ah_ray/.venv")
        given = {"HOME": "/home", "PATH": "/usr/bin:/bin", "SHELL": "/bin/sh"}
        words = [f"{name}={value}" for name, value in (given | environment).items()]
        lines.append(
            f"exec setpriv --reuid={NOBODY} --regid={NOBODY} --clear-groups env -i "
            + shlex.join([*words, "/bin/sh", "-c", command])
        )
        return subprocess.run(
            [*NAMESPACE, "/bin/sh", "-ec", "\n".join(lines)],
            cwd="/",
            capture_output=True,
            text=True,
            timeout=400,
            check=False,
        )


def installed_from() -> Path:
    """The clone that `pip install -e` has put into this Python, as it does into that of /opt."""
    record = json.loads(distribution("ah_ray").read_text("direct_url.json"))
    return Path(unquote(urlsplit(record["url"]).path))


def _python_opened(place: Path) -> list[str]:
    """Mounts by which an ordinary user reaches this Python, if it lies in a closed home."""
    base = Path(sys.base_prefix).resolve()
    closed = [one for one in reversed(base.parents) if not one.stat().st_mode & 0o001]
    if not closed:
        return []
    return [
        f"mount --bind {base} {place}",
        f"mount -t tmpfs -o mode=755 tmpfs {closed[0]}",
        f"mkdir -p {base}",
        f"mount --bind {place} {base}",
    ]


@pytest.fixture(scope="module")
def head(s3_server, tmp_path_factory):
    cache = str(tmp_path_factory.mktemp("cache"))
    with ray_head(XDG_CACHE_HOME=cache) as running:
        yield running


@pytest.fixture(scope="module")
def address(head) -> Iterator[str]:
    with forwarded(int(head.dashboard.rpartition(":")[2])) as reached:
        yield reached


@pytest.fixture
def machine(head, address, s3_server, whole_cohort, s3_client, tmp_path_factory) -> Machine:
    bucket = {one["Name"] for one in s3_client.list_buckets()["Buckets"]}
    if "study" not in bucket:
        s3_client.create_bucket(Bucket="study")
    for n in (1, 2):
        data = (whole_cohort / f"visit-01/answer {n}.mp4").read_bytes()
        s3_client.put_object(Bucket="study", Key=f"recordings/answer {n}.mp4", Body=data)
    for path in find_checkpoint("tiny").iterdir():
        key = f"models/qwen3-omni/{path.name}"
        s3_client.put_object(Bucket="study", Key=key, Body=path.read_bytes())
    folder = tmp_path_factory.mktemp("machine")
    return Machine(folder, head, address, s3_server)


def printed_crontab() -> str:
    """The command of the line, which both documents print."""
    lines = {
        CRONTAB.search((ROOT / name).read_text())[1] for name in ("README.md", "docs/operations.md")
    }
    assert len(lines) == 1
    return lines.pop()


def printed_unit() -> dict[str, str]:
    """The settings of the systemd unit, with continued lines joined."""
    text = (ROOT / "docs" / "operations.md").read_text()
    title = r"```ini\n# /etc/systemd/system/ah-ray\.service\n"
    unit = re.search(title + r"(.*?)\n\n", text, re.DOTALL)[1]
    pairs = (line.split("=", 1) for line in unit.replace("\\\n", " ").splitlines() if "=" in line)
    return {name: " ".join(value.split()) for name, value in pairs}


@contextmanager
def webhook() -> Iterator[tuple[str, list[dict]]]:
    """The URL of a service that takes notifications, and those that came."""
    came: list[dict] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            came.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/hook", came
    finally:
        server.shutdown()
        server.server_close()


NO_GPU = "GPUs that one replica asks for: 1; that this cluster has: 0"
"""What a head answers that has none: the night itself took place as it should."""


def test_the_crontab_line_then_the_unit(machine):
    done = machine.run(printed_crontab())
    log = (machine.folder / "log" / "ah_ray" / "study.log").read_text()
    assert done.returncode == 2, log + done.stderr
    assert re.search(r"^submitted study-\d{8}-1$", log, re.MULTILINE) and NO_GPU in log
    assert "study: the configuration is wrong." in log and "Traceback" not in log

    unit = printed_unit()
    assert (unit["User"], unit["EnvironmentFile"]) == ("ah_ray", "/etc/ah_ray.env")
    machine.give_token(None)
    with webhook() as (url, came):
        file = machine.folder / "etc" / "ah_ray.env"
        file.write_text(
            f"RAY_AUTH_TOKEN={machine.head.environment['RAY_AUTH_TOKEN']}\nAH_RAY_NOTIFY={url}\n"
        )
        given = dict(line.split("=", 1) for line in file.read_text().splitlines())
        command = f"cd {unit['WorkingDirectory']} && exec {unit['ExecStart']}"
        done = machine.run(command, **given)
    assert done.returncode == 2, done.stdout + done.stderr
    assert re.search(r"study-\d{8}-1 has ended already, with exit status 2", done.stdout)
    assert [message["exit_status"] for message in came] == [2]


def test_the_same_line_for_a_cluster_without_gpus(machine):
    line = printed_crontab().replace("--cohort study ", "--cohort study-cpu ")
    done = machine.run(line.replace(" >> ", " --device cpu --profile tiny --max-failed 1 >> "))
    log = (machine.folder / "log" / "ah_ray" / "study.log").read_text()
    assert done.returncode == 0, log + done.stderr
    assert "study-cpu: complete. " in log
    assert len(verdicts("s3://study/scores")) >= 2


@pytest.mark.parametrize("token", ["f" * 64, None])
def test_a_wrong_token_or_none_is_one_sentence_and_is_posted(machine, token):
    machine.give_token(token)
    with webhook() as (url, came):
        done = machine.run(printed_crontab(), AH_RAY_NOTIFY=url)
    log = (machine.folder / "log" / "ah_ray" / "study.log").read_text()
    assert done.returncode == 2, log
    assert log.startswith("error: --address http://head:8265: ") and log.count("\n") == 1
    assert "token" in log and "RAY_AUTH_TOKEN" in log
    assert [message["exit_status"] for message in came] == [2]
    assert came[0]["text"].startswith("study: --address http://head:8265: ")
