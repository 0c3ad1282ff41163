"""A labelled manifest, and an output of a model that knows something of it."""

import pytest
from study.invented_study import Study, make_scores, make_study


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Study:
    return make_study(tmp_path_factory.mktemp("labels"))


@pytest.fixture(scope="module")
def scores(study, tmp_path_factory):
    return make_scores(tmp_path_factory.mktemp("scores"), study, knows=0.7, sureness=6)
