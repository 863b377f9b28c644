"""Membership inference against the published statistics, by an attacker who knows a borrower's titles.

Shokri et al., Membership Inference Attacks Against Machine Learning Models, S&P 2017.
"""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from classifier.pipeline.config import SOURCES, Config
from classifier.pipeline.recommender.recommender import Recommender
from classifier.pipeline.records import LoanTable

TITLES, BORROWERS, EACH, TARGETS = 2000, 2000, 12, 120


def histories() -> list[np.ndarray]:
    """Return what each borrower had: popular titles more often, as in a library."""
    rng = np.random.default_rng(0)
    chance = 1 / np.arange(5, TITLES + 5) ** 0.7
    return [rng.choice(TITLES, EACH, replace=False, p=chance / chance.sum()) for _ in range(BORROWERS)]


def published(had: list[np.ndarray], *, least: int) -> np.ndarray:
    """Return which pairs of titles the stored links say that people borrow together."""
    ids = [str(title) for title in range(TITLES)]
    table = LoanTable(
        book_ids=ids,
        book=np.concatenate(had).astype(np.int32),
        borrower=np.repeat(np.arange(len(had), dtype=np.int32), EACH),
        borrowed_at=np.zeros(EACH * len(had), np.int64),
    )
    settings = Config().with_settings([f"recommend.min_borrowers={least}"]).recommend
    fitted = Recommender(settings=settings).fit(table, book_ids=ids, content={})
    reported = np.zeros((TITLES, TITLES), bool)
    for links in (fitted.next_titles_, fitted.similar_titles_):
        owner, other, parts = links.of(np.arange(TITLES))
        subset = parts[:, SOURCES.index("loans")] != 0
        reported[owner[subset], other[subset]] = True
    return reported | reported.T


def area(*, least: int) -> float:
    """Return the area under the ROC curve of the guess; half of those asked about took no part."""
    had = histories()
    reported = published(had[TARGETS // 2 :], least=least)
    known = [reported[np.ix_(own, own)].sum() for own in had[:TARGETS]]
    return float(roc_auc_score(np.arange(TARGETS) >= TARGETS // 2, known))


def test_membership_inference_is_near_chance():
    one, two, three, five = (area(least=least) for least in (1, 2, 3, 5))
    assert one > 0.95  # the attack does find who took part, where one is enough
    assert one > two > three > five
    assert five < 0.6


@pytest.mark.parametrize("least", [2, 5])
def test_pairs_below_the_minimum_are_not_published(least):
    had = histories()
    share = np.zeros((TITLES, TITLES), int)
    for own in had:
        share[np.ix_(own, own)] += 1
    reported = published(had, least=least)
    assert not reported[share < least].any()
    assert reported.any()
