"""The tree of categories: what lies above one, and which are near it."""

from collections.abc import Mapping, Sequence

import numpy as np

from classifier.pipeline.records import Float32


def path_of(name: str, parents: Mapping[str, str]) -> tuple[str, ...]:
    """Return a category and all above it, the top first; a circle is cut where it closes."""
    path = [name]
    while (above := parents.get(path[-1])) is not None and above not in path:
        path.append(above)
    return tuple(reversed(path))


def kinship(classes: Sequence[str], parents: Mapping[str, str]) -> Float32:
    """Return how the doubt about a category is shared out among all: a wrong sibling is a smaller error.

    Half of it equally among all categories, half among those nearest in the tree: they share as much of the
    path from the top as any other does. Where no category is near another, everything equally.

    Parameters
    ----------
    classes : sequence of str
    parents : mapping of str to str
        Of each category that has one.

    Returns
    -------
    float array (n_classes, n_classes)
        Rows sum to 1.

    References
    ----------
    Bertinetto et al., Making Better Mistakes, CVPR 2020 (soft labels by distance in the tree).
    """
    n = len(classes)
    paths = [path_of(name, parents)[:-1] for name in classes]
    shared = np.zeros((n, n), np.int64)  # how many categories above both
    for depth in range(max(map(len, paths), default=0)):
        heads = [path[: depth + 1] for path in paths]
        deep = np.array([len(path) > depth for path in paths])
        number = {head: i for i, head in enumerate(heads)}
        of = np.array([number[head] for head in heads])
        shared += (of[:, None] == of[None, :]) & deep[:, None] & deep[None, :]
    np.fill_diagonal(shared, 0)
    nearest = shared.max(axis=1, initial=0, keepdims=True)
    near = ((shared == nearest) & (nearest > 0)).astype(np.float32)
    everything = np.full((n, n), 1 / n, np.float32)
    siblings = near / np.maximum(near.sum(axis=1, keepdims=True), 1)
    return np.where(nearest > 0, (everything + siblings) / 2, everything).astype(np.float32)
