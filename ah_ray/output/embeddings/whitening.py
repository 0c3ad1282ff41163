"""Makes embeddings comparable: what all clips of a cohort have in common counts for nothing. Pure.

A model's hidden states all point the same way, and a few directions, such as that of the answer,
hold most of their spread. So the mean is taken away, and each direction is divided by its spread
(whitening), which is floored so that noise in directions without spread is not blown up. Cosines of
the result tell whether two clips are the same, and not only whether they have the same answer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float32]
_FLOOR = 0.2  # of the mean variance, added to that of each direction
_BLOCK = 1_024


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Whitening:
    """A linear map of embeddings [n, D], which goes through the mean of the cohort."""

    mean: Floats  # [D]
    matrix: Floats  # [D, D]

    @classmethod
    def fit(cls, vectors: Floats) -> Self:
        """Return the whitening of a cohort with these embeddings [n, D], n ≥ 1."""
        mean = vectors.mean(axis=0, dtype=np.float64)
        covariance = np.zeros((len(mean), len(mean)))
        for start in range(0, len(vectors), _BLOCK):  # so that no [n, D] is held in float64
            centred = vectors[start : start + _BLOCK] - mean
            covariance += centred.T @ centred / len(vectors)
        variance, directions = np.linalg.eigh(covariance)
        variance = np.maximum(variance, 0)
        scale = 1 / np.sqrt(variance + _FLOOR * variance.mean() + 1e-12)
        return cls(
            mean=mean.astype(np.float32),
            matrix=((directions * scale) @ directions.T).astype(np.float32),
        )

    def __call__(self, vectors: Floats) -> Floats:
        """Return the embeddings [n, D] whitened; their mean is that of the whitened ones."""
        return np.asarray((vectors - self.mean) @ self.matrix, np.float32)


def to_unit(vectors: Floats) -> Floats:
    """Return vectors [n, D] of length 1, whose products are cosines; zeros stay zeros."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)
