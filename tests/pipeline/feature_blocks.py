"""Seeded feature blocks of each kind that reveal the class."""

import dataclasses

import numpy as np
import scipy.sparse as sp

from classifier.pipeline.features.base import Block, BlockSpec
from classifier.pipeline.fusion.network import FusionNetwork

N_TERMS = 40
N_CLASSES = 3
IMAGE = (3, 20, 17)
SPECTRUM = (8, 30)
KINDS = ("words", "numbers", "pixels")


def toy_blocks(
    n_books: int,
    *,
    seed: int = 0,
    missing: float = 0.25,
    misleading: float = 0,
    kinds: tuple[str, ...] = KINDS,
) -> tuple[dict[str, Block], np.ndarray]:
    """Draw blocks of `n_books` and their classes, (n_books,).

    Parameters
    ----------
    missing
        Share of the books that lack a modality; each has one at least.
    misleading
        Share of the books for which a modality points to a random class.
    kinds
        Which of "words" (sparse), "numbers" (vector), "pixels" (image) and "sounds" (spectrum).
    """
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n_books) % N_CLASSES)
    apart = np.random.default_rng([seed, 2])  # so that what is drawn from the others stays as it is

    def shown_classes() -> np.ndarray:
        return np.where(apart.random(n_books) < misleading, apart.integers(N_CLASSES, size=n_books), y)

    drawn = {
        "words": _words(shown_classes(), rng),
        "numbers": _numbers(shown_classes(), rng),
        "pixels": _pixels(shown_classes(), rng),
        "sounds": _sounds(shown_classes(), np.random.default_rng([seed, 1])),
    }
    specs = {
        "words": BlockSpec(kind="sparse", shape=(N_TERMS,)),
        "numbers": BlockSpec(kind="vector", shape=(6,)),
        "pixels": BlockSpec(kind="image", shape=IMAGE),
        "sounds": BlockSpec(kind="spectrum", shape=SPECTRUM),
    }
    present = rng.random((n_books, len(kinds))) >= missing
    present[np.arange(n_books), rng.integers(len(kinds), size=n_books)] = True
    return {
        kind: _block(drawn[kind], present[:, column], specs[kind]) for column, kind in enumerate(kinds)
    }, y


def with_values(block: Block, values: object) -> Block:
    """Return the block with other values."""
    return dataclasses.replace(block, values=values)


def without(block: Block, absent: np.ndarray) -> Block:
    """Return the block with some books' modality taken away."""
    taken = _block(block.values, block.present & ~absent, block.spec)
    return dataclasses.replace(taken, links=block.links)


def with_links(block: Block, of: np.ndarray, to: np.ndarray, *, n: int = 5, seed: int = 0) -> Block:
    """Return the block with links from each book to `n` books of the same kind, itself left out.

    Parameters
    ----------
    of : (n_books,)
        Kind of each book of the block.
    to : (n_known,)
        Kind of each book that it can link to, -1 for none; the books themselves if as many.
    """
    rng = np.random.default_rng(seed)
    weights = np.zeros((len(of), len(to)), np.float32)
    for row, kind in enumerate(of):
        similar = np.flatnonzero(to == kind)
        if len(of) == len(to):
            similar = similar[similar != row]
        weights[row, rng.choice(similar, n, replace=False)] = 1 / n
    return dataclasses.replace(block, links=sp.csr_matrix(weights))


def only(blocks: dict[str, Block], kind: str) -> dict[str, Block]:
    """Return the blocks with all modalities but one absent, for the books that have that one."""
    rows = blocks[kind].present
    kept = {name: block.take(rows) for name, block in blocks.items()}
    return {
        name: block if name == kind else _block(block.values, np.zeros(rows.sum(), bool), block.spec)
        for name, block in kept.items()
    }


def log_probabilities(fitted: FusionNetwork, blocks: dict[str, Block]) -> np.ndarray:
    """Return probabilities with all modalities, (n_books, 1 + n_modalities, n_classes)."""
    present = np.column_stack([block.present for block in blocks.values()])
    return fitted.classify_codes(fitted.encode(blocks), present)


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


def _sounds(y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A tone of the class's pitch in noise, from somewhere in the first half on."""
    noise = rng.integers(0, 100, (len(y), *SPECTRUM))
    for row, c in enumerate(y):
        noise[row, 2 * c + 1, rng.integers(SPECTRUM[1] // 2) :] += 150
    return noise.reshape(len(y), -1).astype(np.uint8)
