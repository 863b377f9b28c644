"""Recommender: similar titles, lists and reasons."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.pipeline.config import SOURCES, Config
from classifier.pipeline.recommender.recommender import RecommendedTitle, Recommender
from classifier.pipeline.records import LoanTable
from tests.pipeline.recommender.recommenders import fitted, listed, loans, words


def similar(recommender: Recommender, *, n: int) -> list[tuple[str, int, str, float]]:
    """Return (book, rank, similar book, score) of every book that has similar ones."""
    result = []
    for title, book in enumerate(recommender.book_ids):
        _owner, others, parts = recommender.similar_titles_.of(np.array([title]))
        scores = parts.sum(axis=1)
        order = np.lexsort((others, -scores))[:n]
        result += [
            (book, rank, recommender.book_ids[others[k]], float(scores[k]))
            for rank, k in enumerate(order, start=1)
        ]
    return result


def following(recommender: Recommender) -> dict[str, np.ndarray]:
    """Return what titles add to each other by source, each (n_books, n_books)."""
    n = len(recommender.book_ids)
    result = {source: np.zeros((n, n)) for source in SOURCES}
    owner, other, parts = recommender.next_titles_.of(np.arange(n))
    for column, source in enumerate(SOURCES):
        result[source][owner, other] = parts[:, column]
    return result


def test_similarity_combines_borrowers_and_text():
    table = loans(("a", 0), ("b", 0), ("a", 1), ("b", 1), ("c", 2))
    texts = {"a": "sea ship", "c": "sea ship"}
    result = similar(fitted(table, "abc", texts, "text_share=0.5"), n=5)
    assert [row[:3] for row in result] == [("a", 1, "b"), ("a", 2, "c"), ("b", 1, "a"), ("c", 1, "a")]
    assert [row[3] for row in result] == pytest.approx([1, 0.5, 1, 0.5])
    heavy = similar(fitted(table, "abc", texts, "text_share=2"), n=1)
    assert [row[:3] for row in heavy] == [("a", 1, "c"), ("b", 1, "a"), ("c", 1, "a")]


def test_ties_keep_book_order():
    table = loans(*((book, borrower) for book in "dcba" for borrower in (0, 1)))
    result = similar(fitted(table, "dbca"), n=2)
    assert [row[2] for row in result if row[0] == "d"] == ["b", "c"]


def test_common_words_indicate_no_similarity():
    ids = [chr(0x4E00 + i) for i in range(60)]
    texts = dict.fromkeys(ids, "common") | {ids[3]: "common rare", ids[7]: "common rare"}
    result = similar(fitted(LoanTable(), "".join(ids), texts), n=5)
    assert [row[:3] for row in result] == [(ids[3], 1, ids[7]), (ids[7], 1, ids[3])]


def test_no_informative_words_give_no_similar_titles():
    ids = [chr(0x4E00 + i) for i in range(60)]
    assert similar(fitted(LoanTable(), "".join(ids), dict.fromkeys(ids, "common")), n=5) == []


def test_borrowers_of_the_same_books_get_each_others_titles():
    table = loans(("a", 0), ("b", 0), ("a", 1), ("b", 1), ("c", 1), ("d", 2), ("e", 2))
    result = listed(fitted(table, "abcde"))
    assert result[0][0] == "c"


def test_borrowed_titles_return_on_request_only():
    table = loans(("a", 0), ("b", 0), ("a", 1), ("b", 1), ("c", 1))
    recommender = fitted(table, "abc")
    assert listed(recommender) == {0: ["c"]}
    assert {who: set(books) for who, books in listed(recommender, include_borrowed=True).items()} == {
        0: set("abc"),
        1: set("abc"),
    }


def test_score_sums_decayed_contributions():
    # b is like a by text, c is like a half as much; borrower 0 had a now and c two years ago.
    texts = {"a": "sea", "b": "sea", "c": "sea ship"}
    table = loans(("a", 0), ("c", 0, 2), ("b", 1))
    given_ = ("text_weight=0.5", "half_life_years=1", "penalty=3")
    (first, *_) = fitted(table, "abc", texts, *given_).recommend(n=1)
    half = np.sqrt(1 / 2)  # the cosine, and what a borrower of two titles counts
    of_a_and_c = half * np.ones((2, 2)) + 0.5 * np.array([[1, half], [half, 1]]) + 3 * np.eye(2)
    brings = np.linalg.solve(of_a_and_c, 0.5 * np.array([1, half]))
    assert (first.borrower, first.rank, first.book) == (0, 1, "b")
    assert first.score == pytest.approx(brings @ [1, 1 / 4], rel=1e-3)  # half precision
    assert (first.sources, first.because) == (("text",), "a")


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000), least=st.integers(1, 3))
def test_weights_are_a_penalised_regression_in_parts(seed, least):
    rng = np.random.default_rng(seed)
    ids, texts = "abcdef", {book: " ".join(rng.choice(list("uvwxyz"), 3)) for book in "abcdef"}
    table = loans(*((ids[rng.integers(6)], int(rng.integers(5))) for _ in range(20)))
    recommender = fitted(table, ids, texts, f"min_borrowers={least}", "penalty=2", "text_weight=0.7")
    result = following(recommender)
    had = np.zeros((6, 5))
    had[[ids.index(table.book_ids[book]) for book in table.book], table.borrower] = 1
    weight = 1 / np.sqrt(np.maximum(had.sum(axis=0), 1))
    by_loans = np.where((had @ had.T >= least) | np.eye(6, dtype=bool), (had * weight) @ had.T, 0)
    words_of = words(ids, texts).toarray()
    by_text = 0.7 * words_of @ words_of.T
    for title in range(6):
        near = [o for o in range(6) if o != title and by_loans[o, title] + by_text[o, title] > 1e-9]
        whole = (by_loans + by_text)[np.ix_(near, near)] + 2 * np.eye(len(near))
        parts = [np.linalg.solve(whole, of[near, title]) for of in (by_loans, by_text)] if near else []
        for source, part in zip(("loans", "text"), parts, strict=False):
            expected = np.where(sum(parts) > 0, part, 0)
            assert result[source][near, title] == pytest.approx(expected, abs=1e-3)
        others = [o for o in range(6) if o not in near]
        assert not any(result[source][others, title].any() for source in SOURCES)


def test_rare_pairs_are_suppressed_everywhere():
    table = loans(*((book, borrower) for book in "ab" for borrower in range(3)), ("c", 0), ("d", 0), ("a", 9))
    two = fitted(table, "abcd", None, "min_borrowers=2")
    assert [(item.book, item.sources) for item in two.recommend(n=1) if item.borrower == 9] == [
        ("b", ("loans",))
    ]
    assert {(row[0], row[2]) for row in similar(two, n=5)} == {("a", "b"), ("b", "a")}
    four = fitted(table, "abcd", None, "min_borrowers=4")
    assert list(four.recommend(n=5)) == []


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_lists_do_not_reveal_a_single_borrower(seed):
    rng = np.random.default_rng(seed)
    rows = [("abcdefgh"[rng.integers(8)], int(rng.integers(6))) for _ in range(25)]
    # Of titles that no one else had: they tie to nothing, and lists of others stay as they are.
    alone = [("x", 6), ("y", 6)]
    texts = {book: book for book in "abcdefghxy"}
    options = ("min_borrowers=2",)
    without = fitted(loans(*rows), "abcdefghxy", texts, *options)
    reported = fitted(loans(*rows, *alone), "abcdefghxy", texts, *options)
    others = {who: books for who, books in listed(reported).items() if who != 6}
    assert listed(without) == others
    assert similar(without, n=9) == similar(reported, n=9)


def test_popular_titles_fill_up_lists():
    table = loans(("a", 0), ("a", 1), ("b", 1), *(("z", borrower) for borrower in range(2, 30)))
    result = listed(fitted(table, "abz"))
    assert result[0] == ["b", "z"]
    assert result[2] == ["a", "b"]  # no neighbours: the more borrowed first


def test_lists_are_ordered_and_distinct():
    rng = np.random.default_rng(0)
    ids = "abcdefghijklmnopqrst"
    table = loans(*((ids[rng.integers(20)], int(rng.integers(30)), float(rng.random())) for _ in range(150)))
    had = {(int(who), table.book_ids[book]) for who, book in zip(table.borrower, table.book, strict=True)}
    recommender = fitted(table, ids)
    items = list(recommender.recommend(n=4))
    for borrower in {who for who, _ in had}:
        own = [item for item in items if item.borrower == borrower]
        assert [item.rank for item in own] == [1, 2, 3, 4]
        assert len({item.book for item in own}) == 4
        assert [item.score for item in own] == sorted((item.score for item in own), reverse=True)
        assert not {(borrower, item.book) for item in own} & had
        assert all((borrower, item.because) in had for item in own if item.sources != ("popular",))
    assert items == list(recommender.recommend(n=4))


def test_loans_of_other_books_are_ignored():
    table = loans(("a", 0), ("gone", 0), ("gone", 1), ("b", 1), ("gone", 2))
    recommender = fitted(table, "ab")
    result = {item.borrower: (item.book, item.sources) for item in recommender.recommend(n=5)}
    assert result == {0: ("b", ("popular",)), 1: ("a", ("popular",))}


def test_no_loans_leave_similarity_by_text():
    recommender = fitted(LoanTable(), "ab", {"a": "sea", "b": "sea"})
    assert list(recommender.recommend(n=5)) == []
    assert [row[:3] for row in similar(recommender, n=5)] == [("a", 1, "b"), ("b", 1, "a")]


def test_no_books_give_nothing():
    recommender = fitted(LoanTable(), "")
    assert list(recommender.recommend(n=5)) == []
    assert similar(recommender, n=5) == []


def test_neighbours_are_limited():
    table = loans(*((book, 0) for book in "abcdef"))
    recommender = fitted(table, "abcdef", None, "neighbours=2")
    assert np.diff(recommender.next_titles_.start).tolist() == [2] * 6


def test_recommendation_has_all_fields():
    table = loans(("a", 4), ("a", 1), ("b", 1))
    (item,) = (i for i in fitted(table, "ab").recommend(n=1) if i.borrower == 4)
    assert item == RecommendedTitle(
        borrower=4, rank=1, book="b", score=item.score, sources=("loans",), because="a"
    )


def test_progress_reaches_the_end():
    reported: dict[str, list[tuple[int, int]]] = {}

    def progress(phase: str, *step: int) -> None:
        reported.setdefault(phase, []).append(step)

    table = loans(("a", 0), ("b", 1))
    recommender = Recommender(settings=Config().recommend)
    content = {"text": words("ab", {"a": "sea"})}
    recommender.fit(table, book_ids=["a", "b"], content=content, progress=progress)
    list(recommender.recommend(n=1, progress=progress))
    assert list(reported) == [
        "comparing loans",
        "comparing texts",
        "learning borrowing sequences",
        "generating recommendations",
    ]
    assert all(steps[-1] in ((1, 1), (2, 2)) for steps in reported.values())
