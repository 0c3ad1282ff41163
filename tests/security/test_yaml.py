"""YAML that a user was sent: a profile, or the settings of a run."""

from __future__ import annotations

import time

import pytest

from ah_ray.cli.config_file import read_config_file
from ah_ray.config import score_settings
from ah_ray.errors import ConfigError
from ah_ray.profile import load_profile

TAGS = (
    "!!python/object/apply:pathlib.Path.touch [{trace}]",
    "!!python/object/new:os.system ['touch {trace}']",
    "!!python/name:os.system",
    "!!python/module:os",
    "!!python/tuple [1, 2]",
)
LAUGHS = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12)
)


def refused(path, text: str) -> None:
    """Both readers end with one sentence, soon."""
    path.write_text(text)
    started = time.process_time()
    with pytest.raises(ConfigError) as caught:
        load_profile(str(path))
    assert len(str(caught.value)) < 2_000
    with pytest.raises(ConfigError) as caught:
        score_settings(**read_config_file(path))
    assert len(str(caught.value)) < 2_000
    assert time.process_time() - started < 15


@pytest.mark.parametrize("tag", TAGS)
def test_a_python_tag_makes_nothing(tmp_path, tag):
    refused(tmp_path / "mine.yaml", f"user: {tag.format(trace=tmp_path / 'trace')}\n")
    assert not (tmp_path / "trace").exists()


def test_a_tag_in_a_profile_is_reported_as_wrong_yaml(tmp_path):
    (tmp_path / "mine.yaml").write_text(f"user: {TAGS[2]}\n")
    with pytest.raises(ConfigError, match="not valid YAML"):
        load_profile(str(tmp_path / "mine.yaml"))


@pytest.mark.parametrize("name", ["user", "videos", "endings"])
def test_aliases_of_aliases_are_not_unfolded(tmp_path, name):
    refused(tmp_path / "mine.yaml", f"{LAUGHS}{name}: *a11\n")
    refused(tmp_path / "mine.yaml", f"x: &x [*x]\n{name}: *x\n")


@pytest.mark.parametrize("text", ["[" * 20_000, "{a: " * 20_000, "- " * 20_000 + "x"])
def test_nested_without_end(tmp_path, text):
    refused(tmp_path / "mine.yaml", text)
