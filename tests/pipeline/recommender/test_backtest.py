"""Backtest of recommendations."""

import numpy as np
import pytest

from classifier.pipeline.config import Config
from classifier.pipeline.recommender.backtest import TooFewLoansError, backtest
from classifier.pipeline.records import LoanTable

IDS = list("abcdefgh")


def loans(*rows, first_synthetic=None):
    """Return loans given as (borrower, book, day)."""
    who, book, day = zip(*rows, strict=True) if rows else ((), (), ())
    return LoanTable(
        book_ids=IDS,
        book=np.array([IDS.index(one) for one in book], np.int32),
        borrower=np.array(who, np.int32),
        borrowed_at=np.array(day, np.int64) * 86400,
        first_synthetic=first_synthetic,
    )


def measured(table, *, settings=(), **options):
    inputs = {"content": {}, "share": 0.8, "k": 2} | options
    return backtest(table, book_ids=IDS, settings=Config().with_settings(settings).recommend, **inputs)


# Who had a had b, and who had c had d; borrower 4 has had a, and 5 c. The last day shows that both go on.
PAST = [(who, book, 1 + day) for day, (who, book) in enumerate(
    [(0, "a"), (0, "b"), (1, "a"), (1, "b"), (2, "c"), (2, "d"), (3, "c"), (3, "d"), (4, "a"), (5, "c")]
)]  # fmt: skip
LATER = [(4, "b", 20), (5, "d", 20), (6, "a", 20)]


def test_later_loans_are_predicted():
    result = measured(loans(*PAST, *LATER), share=10 / 13)
    assert (result["learned_from"], result["looked_at"], result["until"]) == (10, 3, 20 * 86400)
    assert result["scores"]["ours"]["of known borrowers"] == {
        "borrowers": 2, "ndcg": 1.0, "recall": 1.0, "hit_rate": 1.0, "mrr": 1.0,
    }  # fmt: skip
    # A new borrower gets the most popular titles: a and c.
    assert result["scores"]["ours"]["of new borrowers"]["mrr"] == 1.0
    assert result["scores"]["ours"]["new titles"]["borrowers"] == 3
    assert result["scores"]["ours"]["borrowed titles"] == result["scores"]["ours"]["new titles"]
    assert result["scores"]["ours"]["never borrowed titles"]["borrowers"] == 0
    # Of who had a most had c and then b, of who had c most had a and then b.
    assert result["scores"]["popularity"]["of known borrowers"]["mrr"] == pytest.approx((1 / 2 + 0) / 2)


def test_repeats_count_for_any_titles_only():
    result = measured(loans(*PAST, (4, "a", 20), (5, "d", 20)), share=10 / 12)
    assert result["scores"]["ours"]["new titles"]["borrowers"] == 1
    assert result["scores"]["ours"]["any titles"]["borrowers"] == 2


def test_later_loans_are_not_learned():
    # Were the later loans learned from, e would follow a: all who come later had both.
    later = [(who, book, 20) for who in (4, 7, 8, 9) for book in ("a", "e")]
    result = measured(loans(*PAST, *later), share=10 / 18)
    assert result["scores"]["ours"]["never borrowed titles"] == {
        "borrowers": 4, "ndcg": 0.0, "recall": 0.0, "hit_rate": 0.0, "mrr": 0.0,
    }  # fmt: skip


def test_synthetic_borrowers_are_ignored():
    rows = [*PAST, *LATER]
    pairs = [(number, book, 0) for number in (7, 8) for book in ("a", "e")]
    assert measured(loans(*rows, *pairs, first_synthetic=7), share=10 / 13) == measured(
        loans(*rows), share=10 / 13
    )


@pytest.mark.parametrize("rows", [[], [(0, "a", 1)], [(0, "a", 1), (1, "b", 1)]])
def test_loans_at_one_time_are_rejected(rows):
    with pytest.raises(TooFewLoansError, match="too few loans"):
        measured(loans(*rows))
