"""Scores and sources of recommendations."""

import numpy as np
import pytest
import scipy.sparse as sp

from classifier.pipeline.config import Config
from classifier.pipeline.recommender.recommender import Recommender
from classifier.pipeline.records import LoanTable
from tests.pipeline.recommender.recommenders import fitted, listed, loans


def test_author_share_is_limited():
    ids = "abcdefgh"
    table = loans(*((book, borrower) for book in ids for borrower in (0, 1)), ("a", 2))
    recommender = Recommender(settings=Config().with_settings(["recommend.author_share=0.5"]).recommend)
    recommender.fit(table, book_ids=list(ids), content={}, authors=["", "A", "A", "A", "A", "A", "", ""])
    assert listed(recommender, n=4)[2] == ["b", "c", "g", "h"]
    assert listed(recommender, n=1)[2] == ["b"]


def test_newer_loan_counts_more():
    texts = {"a": "sea", "b": "sea", "x": "law", "y": "law"}
    for years, expected in (((0, 3), ["b", "y"]), ((3, 0), ["y", "b"])):
        table = loans(("a", 0, years[0]), ("x", 0, years[1]))
        assert listed(fitted(table, "abxy", texts)) == {0: expected}


def test_repeated_loan_counts_as_the_last_one():
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


def test_absolute_age_does_not_matter():
    texts = {"a": "sea", "b": "sea", "x": "law", "y": "law"}
    result = [
        [(item.book, item.score) for item in fitted(table, "abxy", texts).recommend(n=2)]
        for table in (loans(("a", 0), ("x", 0, 1)), loans(("a", 0, 7), ("x", 0, 8)))
    ]
    assert result[0] == result[1]


def test_main_source_is_named():
    table = loans(("a", 0), ("a", 1), ("b", 1), ("c", 2), ("c", 3), ("d", 3), ("c", 3))
    texts = {"a": "sea", "e": "sea"}
    items = {(item.borrower, item.book): item for item in fitted(table, "abcde", texts).recommend(n=10)}
    assert (items[0, "b"].sources, items[0, "b"].because) == (("loans",), "a")
    assert (items[0, "e"].sources, items[0, "e"].because) == (("text",), "a")
    assert (items[0, "c"].sources, items[0, "c"].because, items[0, "c"].score) == (("popular",), "", 0)


@pytest.mark.parametrize(("weight", "source"), [(0.1, "loans"), (2, "text")])
def test_text_weight_decides_the_main_source(weight, source):
    table = loans(("a", 0), ("a", 1), ("b", 1), ("b", 2))
    (item,) = (
        item
        for item in fitted(table, "ab", {"a": "sea", "b": "sea"}, f"text_weight={weight}").recommend(n=1)
        if item.borrower == 0
    )
    assert (item.book, item.sources[0], item.because) == ("b", source, "a")


@pytest.mark.parametrize("dense", [False, True])
def test_covers_and_themes_are_sources(dense):
    table = loans(("a", 0), ("d", 1))
    rows = {"cover": [[1, 0], [1, 0], [0, 0], [0, 1]], "theme": [[0, 1], [1, 0], [0, 1], [0, 0]]}
    content = {source: np.array(values, np.float32) for source, values in rows.items()}
    if not dense:
        content = {source: sp.csr_matrix(values) for source, values in content.items()}
    settings_ = Config().with_settings(["recommend.min_borrowers=1"]).recommend
    recommender = Recommender(settings=settings_).fit(table, book_ids=list("abcd"), content=content)
    result = {(item.borrower, item.book): item.sources for item in recommender.recommend(n=3)}
    assert (result[0, "b"], result[0, "c"]) == (("cover",), ("theme",))
    assert result[1, "a"] == ("popular",)


def test_wide_themes_are_reduced():
    rng = np.random.default_rng(0)
    ids = "abcdefgh"
    narrow = rng.normal(size=(len(ids), 3)).astype(np.float32)
    wide = narrow @ np.linalg.qr(rng.normal(size=(400, 3)))[0].T.astype(np.float32)
    links = [
        Recommender(settings=Config().recommend).fit(LoanTable(), book_ids=ids, content={"theme": themes})
        for themes in (narrow, wide)
    ]
    for title in range(len(ids)):
        (_, to, values), (_, to_wide, values_wide) = (
            one.similar_titles_.of(np.array([title])) for one in links
        )
        assert to.tolist() == to_wide.tolist() != []
        assert values_wide == pytest.approx(values, abs=1e-5)


def test_popular_and_new_titles_are_weighted():
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


def test_feedback_changes_the_scores():
    texts = {"a": "sea", "b": "sea", "x": "law", "y": "law"}
    table = loans(("a", 0, 0), ("z", 1))
    recommender = fitted(table, "abxyz", texts)

    def books(**said):
        return [item.book for item in recommender.recommend(n=9, **said) if item.borrower == 0]

    assert books() == ["b", "z"]
    assert sorted(books(liked={0: [2]})) == ["b", "y", "z"]
    assert books(unwanted={0: [0]}) == ["z"]
    assert [item.book for item in recommender.recommend(n=9, only={1})] == ["a"]
