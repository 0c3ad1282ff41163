"""Whitened embeddings: what all have in common is gone, and no direction outweighs the others."""

from __future__ import annotations

import numpy as np

from ah_ray.output.embeddings.whitening import Whitening, to_unit


def test_a_direction_that_all_share_tells_nothing():
    random = np.random.default_rng(0)
    vectors = random.normal(size=(400, 8)).astype(np.float32)
    vectors[:, 0] = 50 + 20 * (vectors[:, 0] > 0)  # the answer: it outweighs all else
    plain = to_unit(vectors) @ to_unit(vectors).T
    assert np.abs(plain[0]).min() > 0.9, "by plain cosines everything is alike"
    white = Whitening.fit(vectors)(vectors)
    assert np.abs(white.mean(axis=0)).max() < 1e-3
    cosines = to_unit(white) @ to_unit(white).T
    assert np.abs(cosines[np.triu_indices(400, 1)]).mean() < 0.4
    copy = vectors[:1] + 0.05 * random.normal(size=(1, 8)).astype(np.float32)
    white_copy = Whitening.fit(vectors)(copy)
    assert float((to_unit(white_copy) @ to_unit(white)[0])[0]) > 0.95


def test_the_mean_of_whitened_is_the_whitened_mean():
    vectors = np.random.default_rng(1).normal(3, 2, (20, 5)).astype(np.float32)
    whiten = Whitening.fit(vectors)
    np.testing.assert_allclose(
        whiten(vectors[:7]).mean(axis=0), whiten(vectors[:7].mean(axis=0)[None])[0], atol=1e-5
    )


def test_one_clip_and_equal_ones_are_no_trouble():
    for vectors in (np.ones((1, 3), np.float32), np.ones((5, 3), np.float32)):
        white = Whitening.fit(vectors)(vectors)
        assert np.isfinite(white).all() and np.abs(to_unit(white)).max() < 1.01
