"""Recommendations: nearest titles, lists for borrowers, and the reason of each."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from classifier.pipeline.config import SOURCES, Config
from classifier.pipeline.recommender.recommender import Recommended, Recommender
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


def similar(recommender: Recommender, *, n: int) -> list[tuple[str, int, str, float]]:
    """Return (book, rank, similar book, score) of every book that has similar ones."""
    found = []
    for title, book in enumerate(recommender.book_ids):
        _owner, others, parts = recommender.alike_.of(np.array([title]))
        scores = parts.sum(axis=1)
        order = np.lexsort((others, -scores))[:n]
        found += [
            (book, rank, recommender.book_ids[others[k]], float(scores[k]))
            for rank, k in enumerate(order, start=1)
        ]
    return found


def following(recommender: Recommender) -> dict[str, np.ndarray]:
    """Return what titles add to each other by source, each (n_books, n_books)."""
    n = len(recommender.book_ids)
    found = {source: np.zeros((n, n)) for source in SOURCES}
    owner, other, parts = recommender.following_.of(np.arange(n))
    for column, source in enumerate(SOURCES):
        found[source][owner, other] = parts[:, column]
    return found


def listed(recommender: Recommender, *, n: int = 10, include_borrowed: bool = False) -> dict[int, list[str]]:
    """Return the titles of each borrower's list."""
    found: dict[int, list[str]] = {}
    for item in recommender.recommend(n=n, include_borrowed=include_borrowed):
        found.setdefault(item.borrower, []).append(item.book)
    return found


def test_titles_are_similar_by_readers_and_by_text_and_the_weight_of_text_is_a_setting():
    table = loans(("a", 0), ("b", 0), ("a", 1), ("b", 1), ("c", 2))
    texts = {"a": "sea ship", "c": "sea ship"}
    found = similar(fitted(table, "abc", texts, "text_share=0.5"), n=5)
    assert [row[:3] for row in found] == [("a", 1, "b"), ("a", 2, "c"), ("b", 1, "a"), ("c", 1, "a")]
    assert [row[3] for row in found] == pytest.approx([1, 0.5, 1, 0.5])
    heavy = similar(fitted(table, "abc", texts, "text_share=2"), n=1)
    assert [row[:3] for row in heavy] == [("a", 1, "c"), ("b", 1, "a"), ("c", 1, "a")]


def test_titles_as_similar_come_in_the_order_of_the_books():
    table = loans(*((book, borrower) for book in "dcba" for borrower in (0, 1)))
    found = similar(fitted(table, "dbca"), n=2)
    assert [row[2] for row in found if row[0] == "d"] == ["b", "c"]


def test_words_that_many_books_share_make_no_two_of_them_similar():
    ids = [chr(0x4E00 + i) for i in range(60)]
    texts = dict.fromkeys(ids, "common") | {ids[3]: "common rare", ids[7]: "common rare"}
    found = similar(fitted(LoanTable(), "".join(ids), texts), n=5)
    assert [row[:3] for row in found] == [(ids[3], 1, ids[7]), (ids[7], 1, ids[3])]


def test_where_no_word_tells_books_apart_there_is_nothing_similar():
    ids = [chr(0x4E00 + i) for i in range(60)]
    assert similar(fitted(LoanTable(), "".join(ids), dict.fromkeys(ids, "common")), n=5) == []


def test_readers_of_the_same_books_are_recommended_each_others():
    table = loans(("a", 0), ("b", 0), ("a", 1), ("b", 1), ("c", 1), ("d", 2), ("e", 2))
    found = listed(fitted(table, "abcde"))
    assert found[0][0] == "c"


def test_titles_had_before_come_again_only_if_asked_for():
    table = loans(("a", 0), ("b", 0), ("a", 1), ("b", 1), ("c", 1))
    recommender = fitted(table, "abc")
    assert listed(recommender) == {0: ["c"]}
    assert {who: set(books) for who, books in listed(recommender, include_borrowed=True).items()} == {
        0: set("abc"),
        1: set("abc"),
    }


def test_the_score_adds_up_what_titles_bring_by_age_and_the_reason_is_the_loan_that_gave_most():
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
def test_what_a_title_brings_is_a_penalised_regression_in_two_parts(seed, least):
    rng = np.random.default_rng(seed)
    ids, texts = "abcdef", {book: " ".join(rng.choice(list("uvwxyz"), 3)) for book in "abcdef"}
    table = loans(*((ids[rng.integers(6)], int(rng.integers(5))) for _ in range(20)))
    recommender = fitted(table, ids, texts, f"min_borrowers={least}", "penalty=2", "text_weight=0.7")
    found = following(recommender)
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
            assert found[source][near, title] == pytest.approx(expected, abs=1e-3)
        others = [o for o in range(6) if o not in near]
        assert not any(found[source][others, title].any() for source in SOURCES)


def test_what_too_few_borrowers_share_is_in_no_list_and_among_no_similar_titles():
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
def test_no_list_of_others_tells_whether_one_borrower_more_had_what_nobody_shares(seed):
    rng = np.random.default_rng(seed)
    rows = [("abcdefgh"[rng.integers(8)], int(rng.integers(6))) for _ in range(25)]
    # Of titles that no one else had: they tie to nothing, and lists of others stay as they are.
    alone = [("x", 6), ("y", 6)]
    texts = {book: book for book in "abcdefghxy"}
    options = ("min_borrowers=2",)
    without = fitted(loans(*rows), "abcdefghxy", texts, *options)
    told = fitted(loans(*rows, *alone), "abcdefghxy", texts, *options)
    others = {who: books for who, books in listed(told).items() if who != 6}
    assert listed(without) == others
    assert similar(without, n=9) == similar(told, n=9)


def test_a_list_has_no_more_of_one_author_than_its_share():
    ids = "abcdefgh"
    table = loans(*((book, borrower) for book in ids for borrower in (0, 1)), ("a", 2))
    recommender = Recommender(settings=Config().with_settings(["recommend.author_share=0.5"]).recommend)
    recommender.fit(table, book_ids=list(ids), content={}, authors=["", "A", "A", "A", "A", "A", "", ""])
    assert listed(recommender, n=4)[2] == ["b", "c", "g", "h"]
    assert listed(recommender, n=1)[2] == ["b"]


def test_of_two_loans_the_newer_counts_more_and_gives_the_reason():
    texts = {"a": "sea", "b": "sea", "x": "law", "y": "law"}
    for years, expected in (((0, 3), ["b", "y"]), ((3, 0), ["y", "b"])):
        table = loans(("a", 0, years[0]), ("x", 0, years[1]))
        assert listed(fitted(table, "abxy", texts)) == {0: expected}


def test_a_title_had_twice_counts_as_its_last_loan_alone():
    texts = {"a": "sea", "b": "sea"}
    given_ = ("half_life_years=1",)
    # The newest loan of the borrower is of x, which leads nowhere.
    now, once, twice = (
        next(fitted(table, "abx", texts, *given_).recommend(n=1)).score
        for table in (
            loans(("x", 0), ("a", 0)),
            loans(("x", 0), ("a", 0, 1)),
            loans(("x", 0), ("a", 0, 5), ("a", 0, 1), ("a", 0, 3)),
        )
    )
    assert once == twice == pytest.approx(now / 2)


def test_of_how_long_ago_all_of_it_was_nothing_hangs():
    texts = {"a": "sea", "b": "sea", "x": "law", "y": "law"}
    found = [
        [(item.book, item.score) for item in fitted(table, "abxy", texts).recommend(n=2)]
        for table in (loans(("a", 0), ("x", 0, 1)), loans(("a", 0, 7), ("x", 0, 8)))
    ]
    assert found[0] == found[1]


def test_the_source_is_what_contributed_most():
    table = loans(("a", 0), ("a", 1), ("b", 1), ("c", 2), ("c", 3), ("d", 3), ("c", 3))
    texts = {"a": "sea", "e": "sea"}
    items = {(item.borrower, item.book): item for item in fitted(table, "abcde", texts).recommend(n=10)}
    assert (items[0, "b"].sources, items[0, "b"].because) == (("loans",), "a")
    assert (items[0, "e"].sources, items[0, "e"].because) == (("text",), "a")
    assert (items[0, "c"].sources, items[0, "c"].because, items[0, "c"].score) == (("popular",), "", 0)


@pytest.mark.parametrize(("weight", "source"), [(0.1, "loans"), (2, "text")])
def test_the_weight_of_text_decides_which_source_contributed_most(weight, source):
    table = loans(("a", 0), ("a", 1), ("b", 1), ("b", 2))
    (item,) = (
        item
        for item in fitted(table, "ab", {"a": "sea", "b": "sea"}, f"text_weight={weight}").recommend(n=1)
        if item.borrower == 0
    )
    assert (item.book, item.sources[0], item.because) == ("b", source, "a")


def test_popular_titles_fill_a_list_up_behind_the_neighbours():
    table = loans(("a", 0), ("a", 1), ("b", 1), *(("z", borrower) for borrower in range(2, 30)))
    found = listed(fitted(table, "abz"))
    assert found[0] == ["b", "z"]
    assert found[2] == ["a", "b"]  # no neighbours: the more borrowed first


def test_lists_have_their_length_their_order_and_no_title_twice():
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


def test_loans_of_books_that_cannot_be_recommended_are_left_out():
    table = loans(("a", 0), ("gone", 0), ("gone", 1), ("b", 1), ("gone", 2))
    recommender = fitted(table, "ab")
    found = {item.borrower: (item.book, item.sources) for item in recommender.recommend(n=5)}
    assert found == {0: ("b", ("popular",)), 1: ("a", ("popular",))}


def test_without_loans_nothing_is_recommended_but_titles_are_similar_by_text():
    recommender = fitted(LoanTable(), "ab", {"a": "sea", "b": "sea"})
    assert list(recommender.recommend(n=5)) == []
    assert [row[:3] for row in similar(recommender, n=5)] == [("a", 1, "b"), ("b", 1, "a")]


def test_without_books_there_is_nothing():
    recommender = fitted(LoanTable(), "")
    assert list(recommender.recommend(n=5)) == []
    assert similar(recommender, n=5) == []


def test_a_book_has_no_more_neighbours_than_the_setting():
    table = loans(*((book, 0) for book in "abcdef"))
    recommender = fitted(table, "abcdef", None, "neighbours=2")
    assert np.diff(recommender.following_.start).tolist() == [2] * 6


def test_a_recommendation_says_all_of_itself():
    table = loans(("a", 4), ("a", 1), ("b", 1))
    (item,) = (i for i in fitted(table, "ab").recommend(n=1) if i.borrower == 4)
    assert item == Recommended(
        borrower=4, rank=1, book="b", score=item.score, sources=("loans",), because="a"
    )


def test_progress_is_told_to_the_end():
    told: dict[str, list[tuple[int, int]]] = {}

    def progress(phase: str, *step: int) -> None:
        told.setdefault(phase, []).append(step)

    table = loans(("a", 0), ("b", 1))
    recommender = Recommender(settings=Config().recommend)
    content = {"text": words("ab", {"a": "sea"})}
    recommender.fit(table, book_ids=["a", "b"], content=content, progress=progress)
    list(recommender.recommend(n=1, progress=progress))
    assert list(told) == ["comparing loans", "comparing texts", "learning what follows", "recommending"]
    assert all(steps[-1] in ((1, 1), (2, 2)) for steps in told.values())


@pytest.mark.parametrize("dense", [False, True])
def test_covers_and_themes_speak_for_themselves(dense):
    table = loans(("a", 0), ("d", 1))
    rows = {"cover": [[1, 0], [1, 0], [0, 0], [0, 1]], "theme": [[0, 1], [1, 0], [0, 1], [0, 0]]}
    content = {source: np.array(values, np.float32) for source, values in rows.items()}
    if not dense:
        content = {source: sp.csr_matrix(values) for source, values in content.items()}
    settings_ = Config().with_settings(["recommend.min_borrowers=1"]).recommend
    recommender = Recommender(settings=settings_).fit(table, book_ids=list("abcd"), content=content)
    found = {(item.borrower, item.book): item.sources for item in recommender.recommend(n=3)}
    assert (found[0, "b"], found[0, "c"]) == (("cover",), ("theme",))
    assert found[1, "a"] == ("popular",)


def test_wide_themes_are_compared_in_the_directions_that_tell_most():
    rng = np.random.default_rng(0)
    ids = "abcdefgh"
    narrow = rng.normal(size=(len(ids), 3)).astype(np.float32)
    wide = narrow @ np.linalg.qr(rng.normal(size=(400, 3)))[0].T.astype(np.float32)
    links = [
        Recommender(settings=Config().recommend).fit(LoanTable(), book_ids=ids, content={"theme": themes})
        for themes in (narrow, wide)
    ]
    for title in range(len(ids)):
        (_, to, values), (_, to_wide, values_wide) = (one.alike_.of(np.array([title])) for one in links)
        assert to.tolist() == to_wide.tolist() != []
        assert values_wide == pytest.approx(values, abs=1e-5)


def test_a_title_that_many_had_or_nobody_has_had_is_worth_more_by_its_factor():
    texts = {"a": "sea", "b": "sea", "c": "sea"}
    table = loans(("a", 0), ("b", 1), ("b", 2), ("b", 3))
    plain, raised = (
        {
            item.book: item.score
            for item in fitted(table, "abc", texts, *given_).recommend(n=2)
            if item.borrower == 0
        }
        for given_ in ((), ("popular_power=0.5", "new_title_factor=3"))
    )
    assert raised["b"] == pytest.approx(plain["b"] * 2, rel=1e-2)
    assert raised["c"] == pytest.approx(plain["c"] * 3, rel=1e-2)


def test_what_is_liked_counts_as_a_new_loan_and_what_is_not_wanted_against_what_is_like_it():
    texts = {"a": "sea", "b": "sea", "x": "law", "y": "law"}
    table = loans(("a", 0, 0), ("z", 1))
    recommender = fitted(table, "abxyz", texts)

    def books(**said):
        return [item.book for item in recommender.recommend(n=9, **said) if item.borrower == 0]

    assert books() == ["b", "z"]
    assert sorted(books(liked={0: [2]})) == ["b", "y", "z"]
    assert books(unwanted={0: [0]}) == ["z"]
    assert [item.book for item in recommender.recommend(n=9, only={1})] == ["a"]
