import math

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from classifier.pipeline.recommender.ranking_metrics import (
    catalogue_shown,
    found_in,
    gini,
    ranking_scores,
)


def wanted(*titles, n=6):
    """One row a borrower with the titles that were borrowed later."""
    matrix = np.zeros((len(titles), n), np.float32)
    for row, borrowed in enumerate(titles):
        matrix[row, list(borrowed)] = 1
    return sp.csr_matrix(matrix)


def test_scores_of_lists_worked_out_by_hand():
    lists = np.array([[0, 1, 2], [3, 4, -1], [5, 0, 1]])
    scores = ranking_scores(lists=lists, wanted=wanted({1, 5}, {0}, {5, 0, 1, 2}))
    second = 1 / math.log2(3)
    assert scores.borrowers == 3
    assert scores.ndcg == pytest.approx((second / (1 + second) + 0 + 1) / 3)
    assert scores.recall == pytest.approx((1 / 2 + 0 + 3 / 4) / 3)
    assert scores.hit_rate == pytest.approx(2 / 3)
    assert scores.mrr == pytest.approx((1 / 2 + 0 + 1) / 3)


def test_who_borrowed_nothing_counts_for_nothing():
    assert ranking_scores(lists=np.array([[0], [1]]), wanted=wanted((), {1})).hit_rate == 1
    nobody = ranking_scores(lists=np.array([[0]]), wanted=wanted(()))
    assert nobody.as_dict() == {"borrowers": 0, "ndcg": 0, "recall": 0, "hit_rate": 0, "mrr": 0}


def test_an_empty_place_is_never_found():
    assert not found_in(lists=np.array([[-1, -1]]), wanted=wanted({5})).any()


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_ndcg_is_what_another_library_says(data):
    n, k = 8, data.draw(st.integers(2, 8))
    order = data.draw(st.permutations(range(n)))
    relevant = data.draw(st.sets(st.integers(0, n - 1), min_size=1))
    truth = np.isin(np.arange(n), list(relevant)).astype(float)
    score = np.empty(n)
    score[list(order)] = np.arange(n, 0, -1)
    ours = ranking_scores(lists=np.array([order[:k]]), wanted=wanted(relevant, n=n))
    assert ours.ndcg == pytest.approx(ndcg_score([truth], [score], k=k))


def test_what_lists_show_of_the_catalogue():
    shown = catalogue_shown(lists=np.array([[0, 1], [0, -1]]), popularity=np.array([2, 0, 0, 0]))
    assert shown["coverage"] == 0.5
    # One half, one sixth, one sixth and one sixth of the loans are expected of the four.
    assert shown["novelty"] == pytest.approx((1 + math.log2(6) + 1) / 3)
    assert shown["gini"] == pytest.approx(gini([0, 0, 1, 2]))


def test_gini_is_nothing_where_all_are_alike_and_nearly_one_where_one_has_all():
    assert gini([3, 3, 3]) == 0
    assert gini([0] * 99 + [5]) == pytest.approx(0.99)
    assert gini([0, 0]) == 0
