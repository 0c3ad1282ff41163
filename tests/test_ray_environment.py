"""Ray's environment: quiet for all, the token only for those who submit jobs."""

import os

import pytest

from ah_ray.ray_environment import has_token, offer_token, prepare


@pytest.fixture(autouse=True)
def empty_environment(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith("RAY_AUTH")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    yield
    os.environ.pop("RAY_AUTH_MODE", None)


def test_a_token_that_lies_about_changes_nothing_for_those_who_join(tmp_path):
    """A cluster that asks for none would cancel the actors of a driver that brings one."""
    (tmp_path / ".ray").mkdir()
    (tmp_path / ".ray" / "auth_token").write_text("f" * 64)
    prepare()
    assert "RAY_AUTH_MODE" not in os.environ
    offer_token()
    assert os.environ["RAY_AUTH_MODE"] == "token"


@pytest.mark.parametrize("name", ["RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"])
def test_a_token_in_the_environment_is_offered(monkeypatch, name):
    monkeypatch.setenv(name, "x")
    offer_token()
    assert has_token() and os.environ["RAY_AUTH_MODE"] == "token"


def test_a_mode_that_is_set_stays(monkeypatch):
    monkeypatch.setenv("RAY_AUTH_TOKEN", "x")
    monkeypatch.setenv("RAY_AUTH_MODE", "disabled")
    offer_token()
    assert os.environ["RAY_AUTH_MODE"] == "disabled"
    monkeypatch.setenv("RAY_AUTH_TOKEN", "")
    assert not has_token()
