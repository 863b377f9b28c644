"""Project books to two dimensions; similar books are close to each other.

Principal components drop uninformative directions, t-SNE preserves neighbourhoods. Distances between remote
groups mean nothing.

References
----------
van der Maaten & Hinton, Visualizing Data using t-SNE, JMLR 2008. Kobak & Berens, The Art of Using t-SNE for
Single-Cell Transcriptomics, Nature Communications 2019 (initialise with the principal components, which
preserves the global structure and is reproducible).
"""

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

from classifier.pipeline.records import Float32

_COMPONENTS = 50
"""Further principal components are mostly noise, which separates neighbours."""
_PERPLEXITY = 30
"""The authors suggest 5 to 50."""


def project_2d(codes: Float32, *, seed: int) -> Float32:
    """Return positions (n_books, 2) from -1 to 1, given `TrainedModel.codes`; reproducible for a seed."""
    n = len(codes)
    unit = codes / np.maximum(np.linalg.norm(codes, axis=1, keepdims=True), 1e-9)
    components = min(_COMPONENTS, n - 1, unit.shape[1])
    if n < 3 or not np.ptp(unit, axis=0).any():  # too few, or identical
        points = np.column_stack([np.arange(n), np.zeros(n)])
    else:
        # Sums over several threads are not reproducible.
        with threadpool_limits(limits=1):
            points = PCA(components, svd_solver="full", random_state=seed).fit_transform(unit)
            if components >= 2:
                perplexity = min(_PERPLEXITY, (n - 1) / 3)
                points = TSNE(perplexity=perplexity, init="pca", random_state=seed).fit_transform(points)
        points = np.column_stack([points, np.zeros(n)])[:, :2]
    if not n:
        return np.zeros((0, 2), np.float32)
    points = points - (points.max(axis=0) + points.min(axis=0)) / 2
    return np.asarray(points / max(float(np.abs(points).max()), 1e-9), np.float32)
