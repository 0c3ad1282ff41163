import pytest
from hypothesis import given
from hypothesis import strategies as st

from ah_ray.escaping import escape_text
from ah_ray.output.redaction import redact_name

URI = "s3://study/Anna Muster/visit 3 #2.mp4"


@pytest.mark.parametrize(
    "text",
    [
        f"reading {URI}: denied",
        "file:/Anna Muster/visit 3 #2.mp4: Invalid argument",
        "'study/Anna Muster/visit 3 #2.mp4'",
        "visit 3 #2.mp4, at 3 s",
        "of Anna Muster",
        "visit 3 #2 is broken",
        "https://host/study/Anna%20Muster/visit%203%20%232.mp4",
    ],
)
def test_nothing_of_the_name_is_left(text):
    found = redact_name(text, URI)
    for part in ("Anna", "Muster", "visit"):
        assert part not in found


def test_quoted_as_python_quotes():
    uri = "/data/O'Neil \\ \n.mp4"
    assert "Neil" not in redact_name(f"cannot open {uri!r}", uri)


@pytest.mark.parametrize(
    "uri", ["/study/jane  doe.mp4", "/study/jane\ndoe\\.mp4", "/study/jane\x1b[1mdoe.mp4"]
)
def test_as_it_stands_in_a_row(uri):
    """Lines of an error are joined there, and what a terminal would obey is escaped."""
    for said in (f"reading {escape_text(uri)}: denied", f"reading {uri}: denied"):
        found = redact_name(escape_text(" ".join(said.split())), uri)
        assert "jane" not in found and "doe" not in found


def test_other_text_stays():
    assert (
        redact_name("moov atom not found at 1.mp4", "/a/b1.mp4") == "moov atom not found at 1.mp4"
    )
    assert redact_name("the annals", "/x/anna.mp4") == "the annals"


@given(
    st.text("abcXYZ .'#%é\\-", min_size=2, max_size=12), st.sampled_from(["{}", "<{}>", "x: {}"])
)
def test_the_uri_itself_always_goes(name, form):
    uri = f"/cohort/Folder-Q/{name}.mp4"
    found = redact_name(form.format(uri), uri)
    assert "Folder-Q" not in found
    assert f"{name}.mp4" not in found
