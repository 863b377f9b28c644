"""Blocks of features of each form, drawn from a seed, from which the class can be told."""

import numpy as np
import scipy.sparse as sp

from classifier.pipeline.modality import Block, BlockSpec

N_TERMS = 40
N_CLASSES = 3
IMAGE = (3, 20, 17)
KINDS = ("words", "numbers", "pixels")


def toy_blocks(
    n_books: int, *, seed: int = 0, missing: float = 0.25, kinds: tuple[str, ...] = KINDS
) -> tuple[dict[str, Block], np.ndarray]:
    """Draw blocks of `n_books` and their classes.

    Parameters
    ----------
    n_books : int
    seed : int
    missing : float
        Share of the books that lack a modality; each has one at least.
    kinds : tuple of str
        Which of "words" (sparse), "numbers" (vector) and "pixels" (image).

    Returns
    -------
    dict of str to Block, int array (n_books,)
    """
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n_books) % N_CLASSES)
    drawn = {"words": _words(y, rng), "numbers": _numbers(y, rng), "pixels": _pixels(y, rng)}
    specs = {
        "words": BlockSpec(kind="sparse", shape=(N_TERMS,)),
        "numbers": BlockSpec(kind="vector", shape=(6,)),
        "pixels": BlockSpec(kind="image", shape=IMAGE),
    }
    there = rng.random((n_books, len(kinds))) >= missing
    there[np.arange(n_books), rng.integers(len(kinds), size=n_books)] = True
    return {kind: _block(drawn[kind], there[:, column], specs[kind]) for column, kind in enumerate(kinds)}, y


def with_values(block: Block, values: object) -> Block:
    """Return the block with other values."""
    return Block(values=values, present=block.present, spec=block.spec)


def without(block: Block, absent: np.ndarray) -> Block:
    """Return the block with some books' modality taken away."""
    return _block(block.values, block.present & ~absent, block.spec)


def only(blocks: dict[str, Block], kind: str) -> dict[str, Block]:
    """Return the blocks with all modalities but one absent, for the books that have that one."""
    rows = blocks[kind].present
    kept = {name: block.take(rows) for name, block in blocks.items()}
    return {
        name: block if name == kind else _block(block.values, np.zeros(rows.sum(), bool), block.spec)
        for name, block in kept.items()
    }


def _block(values, present: np.ndarray, spec: BlockSpec) -> Block:
    if sp.issparse(values):
        return Block(
            values=sp.csr_matrix(sp.diags_array(present.astype(np.float32)) @ values),
            present=present,
            spec=spec,
        )
    return Block(values=np.where(present[:, None], values, values.dtype.type(0)), present=present, spec=spec)


def _words(y: np.ndarray, rng: np.random.Generator) -> sp.csr_matrix:
    """Four of the class's ten terms and two of the ten common ones; no term 39 at all."""
    rows = np.zeros((len(y), N_TERMS), np.float32)
    for row, c in enumerate(y):
        rows[row, 10 * c + rng.choice(10, 4, replace=False)] = 0.5
        rows[row, 30 + rng.choice(9, 2, replace=False)] = 0.5
    return sp.csr_matrix(rows)


def _numbers(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    return (2 * np.eye(N_CLASSES, 6)[y] + rng.normal(0, 0.4, (len(y), 6))).astype(np.float32)


def _pixels(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    noise = rng.integers(0, 100, (len(y), *IMAGE))
    noise[np.arange(len(y)), y] += 150
    return noise.reshape(len(y), -1).astype(np.uint8)
