"""Loans modality: co-borrowing factors, folding in, and links."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.pipeline.config import Config
from classifier.pipeline.features.modalities.loans import LoansModality, book_borrower_matrix
from classifier.pipeline.records import BookRecord, Catalogue, LoanTable
from tests.pipeline.catalogues import loan_table

GROUPS = 3


def grouped_loans(*, books: int = 30, borrowers: int = 60, seed: int = 0) -> list[tuple[str, int]]:
    """Draw loans: five per borrower within one of three groups, and one outside."""
    rng = np.random.default_rng(seed)
    pairs = []
    for borrower in range(borrowers):
        own = [book for book in range(books) if book % GROUPS == borrower % GROUPS]
        chosen = [*rng.choice(own, 5, replace=False), rng.integers(books)]
        pairs.extend((f"b{book}", borrower) for book in chosen)
    return pairs


def catalogue(pairs: list[tuple[str, int]], *, ids: list[str] | None = None) -> Catalogue:
    loans = loan_table(pairs)
    return Catalogue(books=[BookRecord(id=book) for book in ids or loans.book_ids], loans=loans)


def fitted(pairs: list[tuple[str, int]], *, factors: int = 3) -> LoansModality:
    config = Config().with_settings([f"loans.factors={factors}"])
    return LoansModality.from_config(config).fit(catalogue(pairs), rng=np.random.default_rng(0))


def likeness(modality: LoansModality, asked: Catalogue) -> np.ndarray:
    """Return cosines between the books asked about."""
    values = modality.transform(asked).astype(np.float64)
    return values @ values.T / modality.settings.factors


def test_pair_counts_once_and_less_for_heavy_borrowers():
    # Borrower 0 had a and b, borrower 1 only a, and that three times.
    matrix = book_borrower_matrix(loan_table([("a", 0), ("b", 0), ("a", 1), ("a", 1), ("a", 1)]))
    half = np.sqrt(1 / 2)
    length = np.sqrt(1 / 2 + 1)
    np.testing.assert_allclose(matrix.toarray(), [[half / length, 1 / length], [1, 0]], rtol=1e-6)
    assert matrix.dtype == np.float32


def test_synthetic_borrower_weighs_like_identified_ones():
    # A reader of three titles has three pairs, the synthetic one has one.
    loans = loan_table([(book, 0) for book in "abc"] + [("a", 1), ("d", 1)])
    likeness = {}
    for known in (1, None):
        rows = book_borrower_matrix(replace(loans, first_synthetic=known)).toarray()
        likeness[known] = rows @ rows.T
    # What ties a to b, which a reader of three had too, is as much as what ties it to d.
    lengths = np.sqrt(2)
    assert likeness[1][0, 1] == pytest.approx(1 / lengths)
    assert likeness[1][0, 3] == pytest.approx(1 / lengths)
    assert likeness[None][0, 3] > likeness[None][0, 1]


def test_all_synthetic_borrowers_weigh_the_same():
    loans = replace(loan_table([("a", 0), ("b", 0), ("a", 1), ("c", 1)]), first_synthetic=0)
    rows = book_borrower_matrix(loans).toarray()
    assert rows[0] == pytest.approx([np.sqrt(0.5), np.sqrt(0.5)])


def test_no_loans_give_an_empty_matrix():
    assert book_borrower_matrix(LoanTable()).shape == (0, 0)
    assert book_borrower_matrix(LoanTable(book_ids=["a", "b"])).shape == (2, 0)


def test_books_with_the_same_borrowers_are_close():
    pairs = grouped_loans()
    calls = catalogue(pairs)
    cosines = likeness(fitted(pairs), calls)
    group = np.array([int(book.id[1:]) % GROUPS for book in calls.books])
    assert cosines[group[:, None] == group].min() > cosines[group[:, None] != group].max()


@pytest.mark.parametrize("group", range(GROUPS))
def test_new_book_is_near_books_with_shared_borrowers(group):
    pairs = grouped_loans()
    modality = fitted(pairs)
    new = [("new", borrower) for borrower in range(group, 60, 5 * GROUPS)]
    calls = catalogue([*pairs, *new])
    ids = [book.id for book in calls.books]
    cosines = likeness(modality, calls)[ids.index("new")]
    nearest = [ids[i] for i in np.argsort(-cosines) if ids[i] != "new"][: 30 // GROUPS]
    assert {int(book[1:]) % GROUPS for book in nearest} == {group}


def test_enough_factors_reproduce_the_cosines():
    pairs = [(book + twin, borrower) for book, borrower in grouped_loans(books=15) for twin in "xy"]
    calls = catalogue(pairs)
    readers = book_borrower_matrix(calls.loans).astype(np.float64)
    modality = fitted(pairs, factors=20)  # thirty books, but each has a twin: fifteen factors say all
    np.testing.assert_allclose(likeness(modality, calls), (readers @ readers.T).toarray(), atol=1e-5)


def test_known_book_follows_current_loans():
    pairs = grouped_loans()
    modality = fitted(pairs)
    moved = [pair for pair in pairs if pair[0] != "b0"] + [
        ("b0", borrower) for borrower in range(1, 60, GROUPS)
    ]
    calls = catalogue(moved)
    ids = [book.id for book in calls.books]
    cosines = likeness(modality, calls)[ids.index("b0")]
    nearest = [ids[i] for i in np.argsort(-cosines) if ids[i] != "b0"][:5]
    assert {int(book[1:]) % GROUPS for book in nearest} == {1}


def test_borrower_numbers_do_not_matter():
    pairs = grouped_loans()
    modality = fitted(pairs)
    other = np.random.default_rng(1).permutation(60) + 7
    renumbered = [(book, int(other[borrower])) for book, borrower in pairs]
    np.testing.assert_allclose(
        modality.transform(catalogue(renumbered)), modality.transform(catalogue(pairs)), atol=1e-5
    )


def test_loan_order_does_not_matter():
    pairs = grouped_loans()
    shuffled = [pairs[i] for i in np.random.default_rng(1).permutation(len(pairs))]
    calls = catalogue(pairs)
    np.testing.assert_allclose(likeness(fitted(shuffled), calls), likeness(fitted(pairs), calls), atol=1e-4)


def test_state_has_one_row_per_book_and_no_borrowers():
    few, many = grouped_loans(borrowers=60), grouped_loans(borrowers=200)
    for pairs in (few, many):
        values, tensors = fitted(pairs).state()
        assert values == {"known": sorted({book for book, _ in pairs}), "n_books": 30}
        assert {name: array.shape for name, array in tensors.items()} == {
            "projection": (30, 3),
            "position": (30,),
        }


@pytest.mark.parametrize(
    "change",
    [
        {"projection": np.zeros((30, 4), np.float32)},
        {"projection": np.zeros((29, 3), np.float32)},
        {"position": np.zeros(29, np.int64)},
        {"position": np.full(30, 30)},
    ],
)
def test_inconsistent_state_is_rejected(change):
    modality = fitted(grouped_loans())
    values, tensors = modality.state()
    with pytest.raises(ValueError, match="does not match"):
        LoansModality(settings=modality.settings).load_state(values, tensors | change)


def test_books_without_shared_borrowers_are_absent():
    modality = fitted(grouped_loans())
    pairs = [*grouped_loans(), ("lonely", 60), ("shared", 0)]
    calls = catalogue(pairs, ids=["never lent", "lonely", "shared", "b0"])
    block = modality.block(calls)
    assert block.present.tolist() == [False, False, True, True]
    assert not block.values[:2].any()


def test_book_outside_all_factors_is_absent():
    pairs = [*grouped_loans(), ("apart", 60), ("aside", 60)]  # known, but of no account among three factors
    block = fitted(pairs).block(catalogue(pairs, ids=["apart", "aside", "b0"]))
    assert block.present.tolist() == [False, False, True]
    assert not block.values[:2].any()


def test_rows_have_one_length():
    block = fitted(grouped_loans(), factors=4).block(catalogue(grouped_loans()))
    np.testing.assert_allclose(np.linalg.norm(block.values, axis=1), np.sqrt(4), rtol=1e-5)


@pytest.mark.parametrize(
    "pairs",
    [[], [("a", 0)], [("a", 0), ("b", 0), ("c", 0)], [("a", 0), ("a", 1)], [("a", 0), ("b", 1)]],
)
def test_loans_without_co_borrowing_teach_nothing(pairs):
    modality = fitted(pairs)
    assert modality.transform(catalogue(pairs, ids=["a", "b"])).shape == (2, 3)
    if len({book for book, _ in pairs}) < 2 or len({borrower for _, borrower in pairs}) < 2:
        assert not modality.present(catalogue(pairs, ids=["a", "b"])).any()


@given(st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 9)), max_size=60))
def test_any_loans_give_finite_rows(pairs):
    modality = fitted(pairs, factors=2)
    block = modality.block(catalogue(pairs, ids=list("abcdefghi")))
    lengths = np.linalg.norm(block.values, axis=1)
    np.testing.assert_allclose(lengths, np.where(block.present, np.sqrt(2), 0), rtol=1e-4)


def shared_readers(pairs: list[tuple[str, int]], one: str, other: str) -> float:
    """Return how like two books are: by the readers they share, each worth less the more it reads."""
    matrix = book_borrower_matrix(loan_table(pairs)).toarray()
    ids = sorted({book for book, _ in pairs})
    return float(matrix[ids.index(one)] @ matrix[ids.index(other)])


@given(
    pairs=st.lists(st.tuples(st.sampled_from("abcdefgh"), st.integers(0, 9)), min_size=1, max_size=60),
    neighbours=st.integers(1, 9),
)
def test_links_are_shares_and_exclude_the_book(pairs, neighbours):
    ids = list("hgfedcba")  # in another order than the loans
    config = Config().with_settings(["loans.factors=2", f"loans.neighbours={neighbours}"])
    modality = LoansModality.from_config(config)
    block = modality.fit_block(catalogue(pairs, ids=ids), rng=np.random.default_rng(0))
    links = block.links.toarray()
    assert links.shape == (8, 8)
    assert not links.diagonal().any()
    lent = {book for book, _ in pairs}
    for row, one in enumerate(ids):
        like = np.array(
            [
                shared_readers(pairs, one, other) if {one, other} <= lent and one != other else 0
                for other in ids
            ]
        )
        kept = np.flatnonzero(links[row])
        assert len(kept) == min(neighbours, np.sum(like > 0))
        if not kept.size:
            continue
        assert links[row].sum() == pytest.approx(1, abs=1e-5)
        np.testing.assert_allclose(links[row][kept], like[kept] / like[kept].sum(), rtol=1e-4)
        np.testing.assert_allclose(np.sort(like[kept]), np.sort(like)[-len(kept) :], rtol=1e-5)
    alone = [modality.block(catalogue(pairs, ids=[book])).links.toarray()[0] for book in ids]
    np.testing.assert_allclose(alone, links, atol=1e-6)


def test_new_book_links_to_books_at_fit_only():
    pairs = grouped_loans()
    modality = fitted(pairs)
    new = [(book, borrower) for book in ("new", "newer") for borrower in range(0, 60, 2 * GROUPS)]
    links = modality.block(catalogue([*pairs, *new], ids=["new", "newer"])).links.toarray()
    assert links.shape == (2, 30)
    np.testing.assert_allclose(links.sum(axis=1), 1, rtol=1e-5)
    group = np.array([int(book.id[1:]) % GROUPS for book in catalogue(pairs).books])
    assert (links[:, group == 0].sum(axis=1) > 0.7).all()


def test_books_absent_at_fit_are_not_linked():
    pairs = grouped_loans()
    part = catalogue(pairs, ids=["b3", "b0", "b6"])
    modality = LoansModality.from_config(Config().with_settings(["loans.factors=3"]))
    links = modality.fit_block(part, rng=np.random.default_rng(0)).links.toarray()
    assert links.shape == (3, 3)
    assert not links.diagonal().any()
    np.testing.assert_allclose(links.sum(axis=1), 1, rtol=1e-5)


@given(st.lists(st.integers(0, 29), min_size=1, max_size=5))
def test_single_and_batch_results_agree(numbers):
    pairs = grouped_loans()
    modality, calls = fitted(pairs), catalogue(pairs)
    books = [BookRecord(id=f"b{number}") for number in numbers]
    together = modality.block(replace(calls, books=books))
    (folding,) = calls.loans.memo.values()
    for row, book in enumerate(books):
        alone = modality.block(replace(calls, books=[book]))
        np.testing.assert_allclose(alone.values[0], together.values[row], rtol=1e-5)
        assert (alone.links != together.links[row]).nnz == 0
    assert list(calls.loans.memo.values()) == [folding]


def test_cached_folding_does_not_survive_a_refit():
    pairs = grouped_loans()
    modality, calls = fitted(pairs), catalogue(pairs)
    before = modality.transform(calls)
    modality.fit(catalogue(grouped_loans(seed=1)), rng=np.random.default_rng(0))
    fresh = modality.transform(catalogue(pairs))
    np.testing.assert_array_equal(modality.transform(calls), fresh)
    assert not np.array_equal(before, fresh)
