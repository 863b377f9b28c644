"""Links between titles, with a part for each source."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np
import scipy.sparse as sp

from classifier.pipeline.config import SOURCES
from classifier.pipeline.features.neighbours import largest
from classifier.pipeline.records import Float32, Int64


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemLinks:
    """A sparse matrix whose values have one part per source.

    Attributes
    ----------
    start : (n_titles + 1,)
        Start of each title's links to `other` titles (n_links,).
    parts : (n_links, n_sources)
        In the order of `SOURCES`, rounded to half precision as stored.
    """

    start: Int64
    other: Int64
    parts: Float32

    @classmethod
    def strongest(cls, by_source: Mapping[str, sp.csr_matrix], *, max_links: int, n: int) -> Self:
        """Keep the links with the largest positive sum of parts."""
        empty = sp.csr_matrix((n, n), dtype=np.float32)
        matrices = {source: by_source.get(source, empty) for source in SOURCES}
        total = sp.csr_matrix(sum(matrices.values(), start=empty))
        total.sort_indices()  # ties go to the first
        kept = largest(total, max_links)
        rows = np.repeat(np.arange(n), np.diff(kept.indptr))
        parts = np.zeros((kept.nnz, len(SOURCES)), np.float16)
        for column, matrix in enumerate(matrices.values()):
            if matrix.nnz and kept.nnz:
                parts[:, column] = np.asarray(matrix[rows, kept.indices]).ravel()
        return cls(
            start=kept.indptr.astype(np.int64),
            other=kept.indices.astype(np.int64),
            parts=parts.astype(np.float32),
        )

    def of(self, titles: Int64) -> tuple[Int64, Int64, Float32]:
        """Return the links of some titles: index into `titles`, linked title, and parts."""
        first, last = self.start[titles], self.start[titles + 1]
        owner = np.repeat(np.arange(len(titles)), last - first)
        offset = np.cumsum(last - first) - (last - first)
        positions = np.arange(len(owner)) - offset[owner] + first[owner]
        return owner, self.other[positions], self.parts[positions]
