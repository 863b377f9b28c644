"""Small recommenders."""

import numpy as np
import scipy.sparse as sp

from classifier.pipeline.config import Config
from classifier.pipeline.recommender.recommender import Recommender
from classifier.pipeline.records import LoanTable

YEAR = 365.25 * 86400
NOW = 2_000_000_000.0


def loans(*rows: tuple[str, int] | tuple[str, int, float]) -> LoanTable:
    """Return loans given as (book, borrower[, years ago])."""
    ids = sorted({row[0] for row in rows}, reverse=True)
    return LoanTable(
        book_ids=ids,
        book=np.array([ids.index(row[0]) for row in rows], np.int32),
        borrower=np.array([row[1] for row in rows], np.int32),
        borrowed_at=np.array([int(NOW - YEAR * (row[2] if len(row) > 2 else 0)) for row in rows], np.int64),
    )


def words(ids: str, texts: dict[str, str]) -> sp.csr_matrix:
    """Return one row of equal weights a book, of the words in its text."""
    terms = sorted({word for text in texts.values() for word in text.split()})
    rows = np.array([[term in texts.get(book, "").split() for term in terms] for book in ids], np.float32)
    return sp.csr_matrix(rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1))


_PLAIN = ("min_borrowers=1", "popular_power=0", "new_title_factor=1", "text_weight=1")


def fitted(table: LoanTable, ids: str, texts: dict[str, str] | None = None, *changed: str) -> Recommender:
    config = Config().with_settings([f"recommend.{setting}" for setting in (*_PLAIN, *changed)])
    content = {"text": words(ids, texts)} if texts else {}
    return Recommender(settings=config.recommend).fit(table, book_ids=list(ids), content=content)


def listed(recommender: Recommender, *, n: int = 10, include_borrowed: bool = False) -> dict[int, list[str]]:
    """Return the titles of each borrower's list."""
    result: dict[int, list[str]] = {}
    for item in recommender.recommend(n=n, include_borrowed=include_borrowed):
        result.setdefault(item.borrower, []).append(item.book)
    return result
