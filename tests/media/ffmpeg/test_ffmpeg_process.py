"""The ffmpeg program in its cage: it opens nothing, outlives nobody, and no name reaches it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import ffmpeg
import psutil
import pytest
import videos
from guards import needs_guards

from ah_ray.config import Limits
from ah_ray.errors import ConfigError, ErrorKind, Interrupted, VideoError
from ah_ray.media.ffmpeg import ffmpeg_process
from ah_ray.media.ffmpeg.clip_files import write_clip
from ah_ray.media.ffmpeg.ffmpeg_process import file_output, recording_input, run_ffmpeg
from ah_ray.media.ffmpeg.stream_copy import Source, Way
from ah_ray.media.ffmpeg.synthetic import Scene, write_video
from ah_ray.media.sandbox.child_process import run_child
from ah_ray.media.sandbox.open_files import name_of

HOSTILE_NAMES = [
    "-i",
    "-y -f null",
    "%d.mp4",
    "fd:",
    "concat:a|b",
    "$(touch escaped);.mp4",
    "'\"`*.mp4",
    " \t",
    "a\nInput #0, mp4, from 'x':\n  Duration: 99:00:00.00, start: 0\n  Stream #0:9: Audio: aac",
    os.fsdecode(b"\x1b[2J\xff\xfe\x80.mp4"),
    "n" * 250,
]


def soon() -> float:
    return time.monotonic() + 60


@pytest.fixture(scope="module")
def recording(tmp_path_factory) -> Path:
    """4 s with a key frame every 2 s, and a tone."""
    codec = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "50", "-bf", "2")
    path = tmp_path_factory.mktemp("recording") / "recording.mp4"
    return videos.make_numbered(path, n_frames=100, codec=codec, sound=videos.TONE)


@pytest.fixture(scope="module")
def slow(tmp_path_factory) -> Path:
    """A video that takes seconds to encode."""
    path = tmp_path_factory.mktemp("slow") / "slow.mp4"
    return videos.make_plain(path, "testsrc2=s=1920x1080:r=25", seconds=8)


@pytest.fixture
def server() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.setblocking(False)
        yield listening


def draw_from(target: str, **options: object) -> None:
    """Have ffmpeg read something by its name, with no whitelist of its own in the way."""
    with tempfile.TemporaryFile() as out:
        run_ffmpeg(
            file_output(ffmpeg.input(target, **options), file=out, f="mp4"),
            files=[out],
            limits=Limits(),
            deadline=soon(),
            max_file_bytes=1 << 20,
        )


@needs_guards
@pytest.mark.parametrize(
    "target",
    ["{secret}", "file:{secret}", "concat:{secret}|{secret}", "/proc/self/environ", "/proc/1/maps",
     "/dev/stdin", "subfile,,start,0,end,9,,:{secret}", "async:{secret}", "cache:{secret}",
     "http://127.0.0.1:{port}/", "https://127.0.0.1:{port}/", "tcp://127.0.0.1:{port}",
     "rtmp://127.0.0.1:{port}/a/b", "hls+http://127.0.0.1:{port}/", "ftp://127.0.0.1:{port}/x",
     "udp://127.0.0.1:{port}?listen=1&timeout=1", "unix:{folder}/socket"],
)  # fmt: skip
def test_ffmpeg_opens_nothing_that_a_command_names(target, recording, server, tmp_path):
    port = server.getsockname()[1]
    named = target.format(secret=recording, port=port, folder=tmp_path)
    with pytest.raises(VideoError) as caught:
        draw_from(named)
    assert caught.value.kind is ErrorKind.DECODE
    with pytest.raises(BlockingIOError):
        server.accept()


@needs_guards
@pytest.mark.parametrize(
    "target", ["{folder}/written.mp4", "tcp://127.0.0.1:{port}", "md5:{folder}/m"]
)
def test_ffmpeg_writes_nothing_but_its_outputs(target, recording, server, tmp_path):
    named = target.format(port=server.getsockname()[1], folder=tmp_path)
    with recording.open("rb") as file, pytest.raises(VideoError):
        run_ffmpeg(
            ffmpeg.output(recording_input(file, Limits()), named, c="copy", f="mpegts"),
            files=[file],
            limits=Limits(),
            deadline=soon(),
            max_file_bytes=1 << 20,
        )
    assert not list(tmp_path.iterdir())
    with pytest.raises(BlockingIOError):
        server.accept()


def test_ffmpeg_inherits_no_other_descriptor_and_no_environment(recording, tmp_path, monkeypatch):
    """An open file of this process is no input of ffmpeg's unless it was named."""
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    with recording.open("rb") as file:
        os.set_inheritable(file.fileno(), True)
        with pytest.raises(VideoError, match="ffmpeg could not cut it"):
            draw_from("fd:", fd=file.fileno())
    assert "secret" not in str(ffmpeg_process._readable_files(ffmpeg_process.ffmpeg_path()))


def cut_both(source, folder: Path) -> list[bytes]:
    """A clip that is copied, one that is encoded, and its sound."""
    copied, encoded, wav = folder / "copied", folder / "encoded", folder / "wav"
    assert Source(source, Limits()).cut(start_s=2, end_s=4, mp4=copied) is Way.COPIED
    write_clip(source, start_s=1, end_s=3, mp4=encoded, wav=wav, limits=Limits())
    return [path.read_bytes() for path in (copied, encoded, wav)]


@pytest.fixture(scope="module")
def plain(recording, tmp_path_factory) -> list[bytes]:
    return cut_both(recording, tmp_path_factory.mktemp("plain"))


@pytest.mark.parametrize("n", [0, 2, 8, 9], ids=["dash", "pattern", "log", "bytes"])
def test_names_of_recordings_folders_and_outputs_are_only_names(n, recording, plain, tmp_path):
    """The recording and its clips have one of the names, and their folder has all of them."""
    folder = tmp_path.joinpath(*HOSTILE_NAMES)
    folder.mkdir(parents=True)
    source, target = folder / HOSTILE_NAMES[n], folder / "out"
    source.write_bytes(recording.read_bytes())
    target.mkdir()
    assert cut_both(source, target) == plain
    assert {path.name for path in tmp_path.rglob("*")} == {
        *HOSTILE_NAMES, "out", "copied", "encoded", "wav"
    }  # fmt: skip


def test_a_recording_and_its_clips_need_no_name(recording, plain, tmp_path):
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as mp4:
        source.write(recording.read_bytes())
        source.flush()
        assert cut_both(source, tmp_path) == plain
        for start_s, expected in ((1, plain[1]), (2, plain[0])):
            Source(source, Limits()).cut(start_s=start_s, end_s=start_s + 2, mp4=mp4)
            assert mp4.read() == name_of(mp4).read_bytes() == expected


TEXT = "\n".join(
    [
        "und",
        "Input #0, matroska, from 'x':",
        "  Duration: 99:00:00.00, start: 9.0",
        "  Stream #0:7: Audio: aac (default)",
        "Output #0, mp4, to 'y':",
        "#tb 0: 1/0",
        "#dimensions 0: 9x9",
    ]
)


@pytest.mark.parametrize(
    ("ending", "codecs"),
    [
        ("mp4", ()),
        ("mov", ()),
        ("mkv", ()),
        ("avi", ()),
        ("flv", ()),
        ("ts", ()),
        ("webm", (*videos.VP8_LIVE, "-c:a", "libopus")),
        ("ogg", ("-c:v", "libtheora", "-c:a", "libvorbis")),
    ],
)
def test_tags_do_not_change_a_cut(ending, codecs, recording, tmp_path):
    first, tagged = tmp_path / f"first.{ending}", tmp_path / f"tagged.{ending}"
    source = tmp_path / f"source.{ending}"
    keys = ("title", "comment", "language", "handler_name", "encoder")
    tags = [("-metadata" + of, f"{key}={TEXT}") for of in ("", ":s:v", ":s:a") for key in keys]
    videos.run_ffmpeg("-i", recording, *(codecs or ("-c", "copy")), first)
    videos.run_ffmpeg("-i", first, "-c", "copy", source)
    videos.run_ffmpeg("-i", first, "-c", "copy", *(word for tag in tags for word in tag), tagged)
    assert b"99:00:00" in tagged.read_bytes()
    clips = []
    for path in (source, tagged):
        way = Source(path, Limits()).cut(start_s=2, end_s=4, mp4=tmp_path / "clip.mp4")
        clips.append((way, (tmp_path / "clip.mp4").read_bytes()))
    assert clips[0] == clips[1] and b"99:00:00" not in clips[1][1]


def test_no_name_is_on_a_command_line(recording, tmp_path):
    """Of any process that a cut starts, from the first to the last."""
    script = (
        "import sys, pathlib; from ah_ray.config import Limits; "
        "from ah_ray.media.ffmpeg.stream_copy import Source; "
        "source, mp4 = map(pathlib.Path, sys.argv[1:]); "
        "s = Source(source, Limits()); s.cut(start_s=2, end_s=4, mp4=mp4); "
        "s.cut(start_s=1, end_s=3, mp4=mp4)"
    )
    source = tmp_path / "Ann at home.mp4"
    source.write_bytes(recording.read_bytes())
    seen = set()
    with psutil.Popen([sys.executable, "-c", script, source, tmp_path / "Ann.mp4"]) as cutter:
        own = cutter.cmdline()
        while cutter.poll() is None:
            for child in cutter.children(recursive=True):
                try:
                    if (command := child.cmdline()) != own:  # one that was forked just now
                        seen.add((*command, *child.environ().values()))
                except psutil.Error:
                    continue
            time.sleep(0.002)
    assert cutter.returncode == 0 and len(seen) > 3
    assert "Ann" not in str(seen) and str(tmp_path) not in str(seen)


@pytest.mark.parametrize("number", [9, 15])
def test_ffmpeg_does_not_outlive_who_started_it(slow, tmp_path, number):
    script = (
        "import sys, pathlib; from ah_ray.config import Limits; "
        "from ah_ray.media.ffmpeg.clip_files import write_clip; "
        "write_clip(pathlib.Path(sys.argv[1]), start_s=0, end_s=8, "
        "mp4=pathlib.Path(sys.argv[2]), limits=Limits())"
    )
    with psutil.Popen([sys.executable, "-c", script, slow, tmp_path / "o.mp4"]) as cutter:
        ffmpegs = wait_for_ffmpeg(cutter)
        cutter.send_signal(number)
    assert not psutil.wait_procs(ffmpegs, timeout=10)[1]


def wait_for_ffmpeg(cutter: psutil.Process) -> list[psutil.Process]:
    until = time.monotonic() + 60
    while time.monotonic() < until:
        for child in cutter.children():
            try:
                if "libx264" in child.cmdline() and "python" not in child.name():
                    return [child]
            except psutil.Error:
                continue
        time.sleep(0.005)
    raise AssertionError("no ffmpeg was started")


@pytest.mark.parametrize("number", [9, 15])
def test_an_ffmpeg_that_is_ended_from_outside_says_nothing_of_its_video(slow, tmp_path, number):
    """It cannot catch a signal, and so cannot pass off an end by its own fault as another's."""

    def end() -> None:
        wait_for_ffmpeg(psutil.Process())[0].send_signal(number)

    thread = threading.Thread(target=end)
    thread.start()
    with pytest.raises(Interrupted, match=f"by signal {number}"):
        write_clip(slow, start_s=0, end_s=8, mp4=tmp_path / "o.mp4", limits=Limits())
    thread.join()


def test_a_deadline_ends_it(slow):
    with (
        slow.open("rb") as file,
        tempfile.TemporaryFile() as out,
        pytest.raises(VideoError, match="--timeout-s") as caught,
    ):
        run_ffmpeg(
            file_output(recording_input(file, Limits()), file=out, f="mp4", preset="veryslow"),
            files=[file, out],
            limits=Limits(),
            deadline=time.monotonic() + 1,
            max_file_bytes=1 << 30,
        )
    assert caught.value.kind is ErrorKind.TIMEOUT
    assert not [child for child in psutil.Process().children() if "x264" in str(child.cmdline())]


def test_greed_meets_the_address_space_limit(recording):
    huge = {"vf": "scale=16384:16384", "c:v": "rawvideo"}
    with (
        recording.open("rb") as file,
        tempfile.TemporaryFile() as out,
        pytest.raises(VideoError, match="--max-memory-bytes") as caught,
    ):
        run_ffmpeg(
            file_output(recording_input(file, Limits()), file=out, f="avi", **huge),
            files=[file, out],
            limits=Limits(max_memory_bytes=400 << 20),
            deadline=soon(),
            max_file_bytes=1 << 30,
        )
    assert caught.value.kind is ErrorKind.REFUSED


def test_nothing_is_left_in_the_temporary_folder(recording, tmp_path, monkeypatch):
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    before = sorted(entry.name for entry in Path("/proc/self/fd").iterdir())
    write_video(tmp_path / "drawn.mp4", [Scene(smiling=True, rising=False, seconds=0.4)])
    cut_both(recording, tmp_path)
    with pytest.raises(VideoError):
        write_clip(recording, start_s=90, end_s=95, mp4=tmp_path / "none", limits=Limits())
    assert not list(temporary.iterdir())
    assert before == sorted(entry.name for entry in Path("/proc/self/fd").iterdir())


@pytest.mark.parametrize(
    "guards", [["landlock"], ["seccomp"], ["no_new_privs", "landlock", "seccomp"]]
)
def test_a_kernel_without_guards_cuts_the_same(guards, recording, plain, tmp_path):
    script = (
        "import sys, pathlib; from blocked_calls import pretend_to_lack; "
        "from test_ffmpeg_process import cut_both; "
        "source, folder = map(pathlib.Path, sys.argv[1:3]); "
        "[pretend_to_lack(guard) for guard in sys.argv[3:]]; "
        "cut_both(source, folder)"
    )
    here = Path(__file__).parent
    path = os.pathsep.join(map(str, [here, here.parent, here.parents[1], here.parents[2]]))
    subprocess.run(
        [sys.executable, "-c", script, recording, tmp_path, *guards],
        env={**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1"},
        check=True,
        timeout=120,
    )
    assert [(tmp_path / name).read_bytes() for name in ("copied", "encoded", "wav")] == plain


def test_a_missing_program_or_a_script_is_a_wrong_setting(tmp_path):
    with pytest.raises(ConfigError, match="does not start"):
        ffmpeg_process._readable_files(str(tmp_path / "ffmpeg"))
    script = tmp_path / "script"
    script.write_text("#!/bin/sh\nexec ffmpeg\n")
    script.chmod(0o755)
    with pytest.raises(ConfigError, match="is a script"):
        ffmpeg_process._readable_files(str(script))


def test_a_child_that_talks_without_end_is_ended():
    talk = [sys.executable, "-c", "while True: print('x' * 1000)"]
    with pytest.raises(VideoError, match="more output"):
        run_child(talk, deadline=soon(), max_output_bytes=10_000)
    cry = [sys.executable, "-c", "import sys; sys.stderr.write('\\x1b[2J' * 10**6 + 'end\\nof it')"]
    finished = run_child(cry, deadline=soon())
    assert finished.last_words.endswith("end of it") and finished.last_words.isprintable()
    assert len(finished.last_words) < 10_000


def test_a_child_that_closes_its_pipes_and_stays_is_ended():
    hang = [sys.executable, "-c", "import os, time; os.closerange(0, 256); time.sleep(600)"]
    started = time.monotonic()
    with pytest.raises(VideoError) as caught:
        run_child(hang, deadline=time.monotonic() + 1)
    assert caught.value.kind is ErrorKind.TIMEOUT and time.monotonic() - started < 20
