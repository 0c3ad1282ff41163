"""What of a text may stand in a row, in a log and on a terminal."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.escaping import escape_text, holds_secret


@given(st.text())
def test_a_terminal_gets_no_command_and_stays_on_its_line(text):
    assert escape_text(text).isprintable()


@given(st.text(st.characters(categories=["L", "N", "P", "Zs"], exclude_characters="\x85\xa0:@")))
def test_plain_names_are_as_they_are(text):
    if text.isprintable():
        assert escape_text(text) == text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("https://jane:hunter2@host/a.mp4 failed", "https://…@host/a.mp4 failed"),
        ("'http://:hunter2@10.0.0.1:9000/'", "'http://…@10.0.0.1:9000/'"),
        ("s3://key:hunter2@bucket/x", "s3://…@bucket/x"),
        ("https://hunter2@host/a.mp4", "https://…@host/a.mp4"),
        ("https://h/x?a=1&X-Amz-Signature=hunter2&b=2", "https://h/x?a=1&X-Amz-Signature=…&b=2"),
        ("s3://key:hun/ter2@bucket/x", "s3://…@bucket/x"),
        ("https://jane:hun/ter2@host/a.mp4 failed", "https://…@host/a.mp4 failed"),
        ("https://h/x#access_token=hunter2&n=1", "https://h/x#access_token=…&n=1"),
        *(
            (f"https://h/x?n=1&{name}=hunter2&b=2", f"https://h/x?n=1&{name}=…&b=2")
            for name in (
                "password",
                "PASSWORD",
                "pwd",
                "auth",
                "api_key",
                "client_secret",
                "key",
                "X-Amz-Credential",
                "X-Amz-Security-Token",
                "X-Goog-Credential",
                "GoogleAccessId",
                "AWSAccessKeyId",
                "OSSAccessKeyId",
                "x-oss-signature",
                "q-signature",
                "q-ak",
                "x-cos-security-token",
                "X-Obs-Signature",
                "Key-Pair-Id",
                "Policy",
                "jwt",
            )
        ),
        ("https://h/x?sv=2024&sig=hunter2", "https://h/x?sv=2024&sig=…"),
        ("https://h/x?token=hunter2, said the server", "https://h/x?token=… said the server"),
    ],
)
def test_what_opens_a_store_is_left_out(text, expected):
    assert holds_secret(text)
    assert escape_text(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "s3://bucket/a@b:c.mp4",
        "abfs://container@account.dfs.core.windows.net/x",
        "http://127.0.0.1:9000/x@y",
        "sftp://user@host:22/x",
        "at 10:30, mail@example.org",
        "s3://bucket/what?design=1.mp4",
    ],
)
def test_what_is_no_secret_stays(text):
    assert not holds_secret(text)
    assert escape_text(text) == text
