import numpy as np
import pytest

from classifier.pipeline.config import Config
from classifier.pipeline.recommender.backtest import TooFewLoansError, backtest
from classifier.pipeline.records import LoanTable

IDS = list("abcdefgh")


def loans(*rows, known=None):
    """Return loans given as (borrower, book, day)."""
    who, book, day = zip(*rows, strict=True) if rows else ((), (), ())
    return LoanTable(
        book_ids=IDS,
        book=np.array([IDS.index(one) for one in book], np.int32),
        borrower=np.array(who, np.int32),
        borrowed_at=np.array(day, np.int64) * 86400,
        known=known,
    )


def measured(table, *, settings=(), **options):
    given = {"content": {}, "share": 0.8, "k": 2} | options
    return backtest(table, book_ids=IDS, settings=Config().with_settings(settings).recommend, **given)


# Who had a had b, and who had c had d; borrower 4 has had a, and 5 c. The last day shows that both go on.
PAST = [(who, book, 1 + day) for day, (who, book) in enumerate(
    [(0, "a"), (0, "b"), (1, "a"), (1, "b"), (2, "c"), (2, "d"), (3, "c"), (3, "d"), (4, "a"), (5, "c")]
)]  # fmt: skip
LATER = [(4, "b", 20), (5, "d", 20), (6, "a", 20)]


def test_what_is_borrowed_later_is_found_from_what_was_borrowed_before():
    found = measured(loans(*PAST, *LATER), share=10 / 13)
    assert (found["learned_from"], found["looked_at"], found["until"]) == (10, 3, 20 * 86400)
    assert found["scores"]["ours"]["of known borrowers"] == {
        "borrowers": 2, "ndcg": 1.0, "recall": 1.0, "hit_rate": 1.0, "mrr": 1.0,
    }  # fmt: skip
    # Whom nobody knows is shown what most had: a and c.
    assert found["scores"]["ours"]["of new borrowers"]["mrr"] == 1.0
    assert found["scores"]["ours"]["new titles"]["borrowers"] == 3
    assert found["scores"]["ours"]["borrowed titles"] == found["scores"]["ours"]["new titles"]
    assert found["scores"]["ours"]["never borrowed titles"]["borrowers"] == 0
    # Of who had a most had c and then b, of who had c most had a and then b.
    assert found["scores"]["popularity"]["of known borrowers"]["mrr"] == pytest.approx((1 / 2 + 0) / 2)


def test_what_is_borrowed_again_is_looked_for_among_any_titles_alone():
    found = measured(loans(*PAST, (4, "a", 20), (5, "d", 20)), share=10 / 12)
    assert found["scores"]["ours"]["new titles"]["borrowers"] == 1
    assert found["scores"]["ours"]["any titles"]["borrowers"] == 2


def test_nothing_after_the_day_is_learned_from():
    # Were the later loans learned from, e would follow a: all who come later had both.
    later = [(who, book, 20) for who in (4, 7, 8, 9) for book in ("a", "e")]
    found = measured(loans(*PAST, *later), share=10 / 18)
    assert found["scores"]["ours"]["never borrowed titles"] == {
        "borrowers": 4, "ndcg": 0.0, "recall": 0.0, "hit_rate": 0.0, "mrr": 0.0,
    }  # fmt: skip


def test_pairs_left_of_who_was_forgotten_are_left_out():
    rows = [*PAST, *LATER]
    pairs = [(number, book, 0) for number in (7, 8) for book in ("a", "e")]
    assert measured(loans(*rows, *pairs, known=7), share=10 / 13) == measured(loans(*rows), share=10 / 13)


@pytest.mark.parametrize("rows", [[], [(0, "a", 1)], [(0, "a", 1), (1, "b", 1)]])
def test_without_loans_at_two_times_there_is_nothing_to_look_back_at(rows):
    with pytest.raises(TooFewLoansError, match="too few loans"):
        measured(loans(*rows))
