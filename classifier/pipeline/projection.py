"""Books on a plane: those that the classifier sees as alike lie near each other.

Directions that carry little are dropped first (principal components), then t-SNE keeps neighbours together;
distances between far groups mean nothing.

References
----------
van der Maaten & Hinton, Visualizing Data using t-SNE, JMLR 2008. Kobak & Berens, The Art of Using t-SNE for
Single-Cell Transcriptomics, Nature Communications 2019 (start from the principal components, so that the
large lines are kept and the picture is the same each time).
"""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from classifier.pipeline.records import Float32

_DIRECTIONS = 50
"""Principal components kept: beyond them is mostly noise, which draws neighbours apart."""
_NEIGHBOURS = 30
"""Perplexity, as the authors suggest: 5 to 50."""


def on_a_plane(codes: Float32, *, seed: int) -> Float32:
    """Return where books lie, (n_books, 2), each coordinate from -1 to 1.

    Parameters
    ----------
    codes : float array (n_books, d)
        As `TrainedModel.codes` gives them.
    seed : int
        Same codes and same seed: same plane.
    """
    n = len(codes)
    unit = codes / np.maximum(np.linalg.norm(codes, axis=1, keepdims=True), 1e-9)
    directions = min(_DIRECTIONS, n - 1, unit.shape[1])
    if n < 3 or not np.ptp(unit, axis=0).any():  # too few, or nothing tells them apart: side by side
        flat = np.column_stack([np.arange(n), np.zeros(n)])
    else:
        # One thread: sums of several come out differently from time to time.
        with threadpool_limits(limits=1):
            flat = PCA(directions, svd_solver="full", random_state=seed).fit_transform(unit)
            if directions >= 2:
                perplexity = min(_NEIGHBOURS, (n - 1) / 3)
                flat = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(flat)
        flat = np.column_stack([flat, np.zeros(n)])[:, :2]
    if not n:
        return np.zeros((0, 2), np.float32)
    flat = flat - (flat.max(axis=0) + flat.min(axis=0)) / 2
    return np.asarray(flat / max(float(np.abs(flat).max()), 1e-9), np.float32)
