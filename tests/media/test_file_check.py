"""Hostile files are refused by their content under any name, and nothing they name is opened."""

import http.server
import os
import threading
import time

import pytest
import videos
from decoding import decode_all

from ah_ray.config import Limits
from ah_ray.errors import ErrorKind, VideoError
from ah_ray.media.file_check import check_file

MAKERS = {
    "hls": videos.make_hls,
    "dash": videos.make_dash,
    "concat": videos.make_concat,
    "sdp": lambda path, target: videos.make_sdp(path),
}


def check(path):
    with path.open("rb") as file:
        return check_file(file, Limits())


@pytest.fixture
def listener():
    """An HTTP server that counts who asks."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_error(404)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/video.mp4", asked
    server.shutdown()


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("suffix", [".mp4", ".m3u8", ".webm"])
def test_what_names_another_resource_is_refused_and_nothing_is_opened(
    tmp_path, listener, kind, suffix
):
    address, asked = listener
    path = tmp_path / f"v{suffix}"
    MAKERS[kind](path, address)
    started = time.monotonic()
    facts = decode_all(path).facts
    assert (facts.n_clips, facts.error_kind) == (0, ErrorKind.REFUSED)
    assert "names other resources" in facts.error
    assert not asked and time.monotonic() - started < 20


@pytest.mark.parametrize("kind", MAKERS)
def test_the_decoder_itself_is_kept_from_them_too(tmp_path, listener, numbered, kind, monkeypatch):
    monkeypatch.setattr("ah_ray.media.file_check._PLAYLISTS", {})
    address, asked = listener
    for target in (address, f"file:{numbered}"):
        MAKERS[kind](tmp_path / "v.mp4", target)
        facts = decode_all(tmp_path / "v.mp4").facts
        assert facts.n_clips == 0 and facts.error
    assert not asked


@pytest.mark.parametrize(
    "head", [b"\xef\xbb\xbf#EXTM3U\n", b"\n\n  #EXTM3U\n", b"# x\nfile a.mp4\n"]
)
def test_disguises_do_not_help(tmp_path, head):
    (tmp_path / "v.mp4").write_bytes(head + b"x" * 100)
    with pytest.raises(VideoError) as caught:
        check(tmp_path / "v.mp4")
    assert caught.value.kind is ErrorKind.REFUSED


@pytest.mark.parametrize(
    "unit",
    [b"<!---->", b"<!-- ", b"<?xml ", b"#\n ", b"#\n\n", b"\n ", b"v=0\n", b"a=b\n", b"#" * 50],
)
def test_a_head_made_to_be_pondered_takes_no_time(tmp_path, unit):
    for before in (b"", b"v=0\n", b"<?xml>", b"#\n"):
        (tmp_path / "v.mp4").write_bytes(before + unit * (5000 // len(unit)))
        started = time.process_time()
        check(tmp_path / "v.mp4")
        assert time.process_time() - started < 0.5


@pytest.mark.parametrize("name", ["v.mov", "v.mp4"])
def test_a_movie_with_its_media_elsewhere_is_refused(tmp_path, name):
    source = videos.make_numbered(tmp_path / f"source-{name}", n_frames=50)
    facts = decode_all(videos.make_external_mov(tmp_path / name, source)).facts
    assert (facts.n_clips, facts.error_kind) == (0, ErrorKind.REFUSED)
    assert "self-contained" in facts.error
    assert decode_all(source).facts.error is None


def test_boxes_without_end_are_left_to_the_decoder(tmp_path):
    nested = b"\0\0\0\0moov" * 5000
    (tmp_path / "nested.mp4").write_bytes(b"\0\0\0\x10ftypisom\0\0\0\0" + nested)
    (tmp_path / "many.mp4").write_bytes(b"\0\0\0\x08free" * 1_000_000)
    for name in ("nested.mp4", "many.mp4"):
        started = time.monotonic()
        facts = decode_all(tmp_path / name).facts
        assert facts.error_kind is ErrorKind.UNREADABLE
        assert time.monotonic() - started < 30


def test_boxes_in_boxes_are_counted_as_a_whole(tmp_path):
    """200 tracks of 200 media of 200 boxes: few in each parent, millions in all."""
    content = b"\0\0\0\x08free" * 200
    for kind in (b"mdia", b"trak", b"moov"):
        box = (8 + len(content)).to_bytes(4, "big") + kind + content
        content = box * (1 if kind == b"moov" else 200)
    (tmp_path / "v.mp4").write_bytes(b"\0\0\0\x10ftypisom\0\0\0\0" + content)
    started = time.process_time()
    check(tmp_path / "v.mp4")
    assert time.process_time() - started < 1


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "v.mp4")
    assert decode_all(tmp_path / "v.mp4").facts.error_kind is ErrorKind.UNREADABLE


@pytest.mark.parametrize(
    "name",
    [
        "-i.mp4",
        "a b'c\"$(x);#%20é.mp4",
        "%03d.mp4",
        "http:x.mp4",
        "a\n  Duration: 99999:00:00.00, start\x1b[2J.mp4",
    ],
)
def test_names_are_taken_as_they_are(tmp_path, numbered, name):
    (tmp_path / name).write_bytes(numbered.read_bytes())
    assert decode_all(tmp_path / name).facts.n_clips == 2


def test_a_container_that_is_not_read_is_refused_with_what_to_do(tmp_path):
    path = tmp_path / "v.mp4"
    path.write_bytes(b"GIF89a" + bytes(64))
    videos.run_ffmpeg("-f", "lavfi", "-i", "testsrc2=d=1:s=64x64", "-f", "gif", path)
    facts = decode_all(path).facts
    assert facts.error_kind is ErrorKind.REFUSED and "convert it" in facts.error
