"""Titles linked with each title, and what each source says of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import scipy.sparse as sp

from classifier.pipeline.config import SOURCES
from classifier.pipeline.features.neighbours import largest
from classifier.pipeline.records import Float32, Int64


@dataclass(frozen=True, slots=True, kw_only=True)
class Links:
    """Rows of a sparse matrix with a value for each source in the place of one.

    Attributes
    ----------
    start : int array (n_titles + 1,)
        Where the links of each title begin.
    other : int array (n_links,)
        The title each leads to.
    parts : float32 array (n_links, n_sources)
        In the order of `SOURCES`, rounded to half precision, as they are stored.
    """

    start: Int64
    other: Int64
    parts: Float32

    @classmethod
    def strongest(cls, by_source: Mapping[str, sp.csr_matrix], *, most: int, n: int) -> Self:
        """Keep the links of each title whose parts add up to most, none that add up to 0 or less.

        Parameters
        ----------
        by_source : mapping of str to CSR matrix (n, n)
        most : int
            Links a title.
        n : int
            Titles.
        """
        none = sp.csr_matrix((n, n), dtype=np.float32)
        found = {source: by_source.get(source, none) for source in SOURCES}
        whole = sp.csr_matrix(sum(found.values(), start=none))
        whole.sort_indices()  # of equal ones the first are kept
        kept = largest(whole, most)
        rows = np.repeat(np.arange(n), np.diff(kept.indptr))
        parts = np.zeros((kept.nnz, len(SOURCES)), np.float16)
        for column, matrix in enumerate(found.values()):
            if matrix.nnz and kept.nnz:
                parts[:, column] = np.asarray(matrix[rows, kept.indices]).ravel()
        return cls(
            start=kept.indptr.astype(np.int64),
            other=kept.indices.astype(np.int64),
            parts=parts.astype(np.float32),
        )

    def of(self, titles: Int64) -> tuple[Int64, Int64, Float32]:
        """Return the links of some titles: whose each is (its place in `titles`), where to, and the parts."""
        first, last = self.start[titles], self.start[titles + 1]
        owner = np.repeat(np.arange(len(titles)), last - first)
        before = np.cumsum(last - first) - (last - first)
        at = np.arange(len(owner)) - before[owner] + first[owner]
        return owner, self.other[at], self.parts[at]
