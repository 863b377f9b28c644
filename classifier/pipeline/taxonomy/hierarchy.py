"""Category tree: paths and label smoothing."""

from collections.abc import Mapping, Sequence

import numpy as np

from classifier.pipeline.records import Float32


def path_of(name: str, parents: Mapping[str, str]) -> tuple[str, ...]:
    """Return a category and its ancestors, top first; a cycle is cut where it closes."""
    path = [name]
    while (parent := parents.get(path[-1])) is not None and parent not in path:
        path.append(parent)
    return tuple(reversed(path))


def hierarchical_smoothing(classes: Sequence[str], parents: Mapping[str, str]) -> Float32:
    """Return label-smoothing distributions, (n_classes, n_classes), that make wrong siblings smaller errors.

    Half is uniform, half goes to the categories with the most common ancestors; without any, all is uniform.

    References
    ----------
    Bertinetto et al., Making Better Mistakes, CVPR 2020 (soft labels by distance in the tree).
    """
    n = len(classes)
    paths = [path_of(name, parents)[:-1] for name in classes]
    shared = np.zeros((n, n), np.int64)  # number of common ancestors
    for depth in range(max(map(len, paths), default=0)):
        prefixes = [path[: depth + 1] for path in paths]
        deep = np.array([len(path) > depth for path in paths])
        index = {head: i for i, head in enumerate(prefixes)}
        group = np.array([index[head] for head in prefixes])
        shared += (group[:, None] == group[None, :]) & deep[:, None] & deep[None, :]
    np.fill_diagonal(shared, 0)
    nearest = shared.max(axis=1, initial=0, keepdims=True)
    siblings = ((shared == nearest) & (nearest > 0)).astype(np.float32)
    uniform = np.full((n, n), 1 / n, np.float32)
    sibling_share = siblings / np.maximum(siblings.sum(axis=1, keepdims=True), 1)
    return np.where(nearest > 0, (uniform + sibling_share) / 2, uniform).astype(np.float32)
