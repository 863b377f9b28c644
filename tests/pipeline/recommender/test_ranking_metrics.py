"""Metrics of ranked lists."""

import math

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score

from classifier.pipeline.recommender.ranking_metrics import (
    catalogue_usage,
    gini,
    hits,
    ranking_scores,
)


def wanted(*titles, n=6):
    """One row a borrower with the titles that were borrowed later."""
    matrix = np.zeros((len(titles), n), np.float32)
    for row, borrowed in enumerate(titles):
        matrix[row, list(borrowed)] = 1
    return sp.csr_matrix(matrix)


def test_metrics_match_a_manual_calculation():
    lists = np.array([[0, 1, 2], [3, 4, -1], [5, 0, 1]])
    scores = ranking_scores(lists=lists, relevant=wanted({1, 5}, {0}, {5, 0, 1, 2}))
    second = 1 / math.log2(3)
    assert scores.borrowers == 3
    assert scores.ndcg == pytest.approx((second / (1 + second) + 0 + 1) / 3)
    assert scores.recall == pytest.approx((1 / 2 + 0 + 3 / 4) / 3)
    assert scores.hit_rate == pytest.approx(2 / 3)
    assert scores.mrr == pytest.approx((1 / 2 + 0 + 1) / 3)


def test_borrowers_without_relevant_titles_are_ignored():
    assert ranking_scores(lists=np.array([[0], [1]]), relevant=wanted((), {1})).hit_rate == 1
    nobody = ranking_scores(lists=np.array([[0]]), relevant=wanted(()))
    assert nobody.as_dict() == {"borrowers": 0, "ndcg": 0, "recall": 0, "hit_rate": 0, "mrr": 0}


def test_padding_is_never_a_hit():
    assert not hits(lists=np.array([[-1, -1]]), relevant=wanted({5})).any()


@settings(max_examples=50, deadline=None)
@given(st.data())
def test_ndcg_matches_scikit_learn(data):
    n, k = 8, data.draw(st.integers(2, 8))
    order = data.draw(st.permutations(range(n)))
    relevant = data.draw(st.sets(st.integers(0, n - 1), min_size=1))
    truth = np.isin(np.arange(n), list(relevant)).astype(float)
    score = np.empty(n)
    score[list(order)] = np.arange(n, 0, -1)
    ours = ranking_scores(lists=np.array([order[:k]]), relevant=wanted(relevant, n=n))
    assert ours.ndcg == pytest.approx(ndcg_score([truth], [score], k=k))


def test_catalogue_usage_matches_a_manual_calculation():
    shown = catalogue_usage(lists=np.array([[0, 1], [0, -1]]), popularity=np.array([2, 0, 0, 0]))
    assert shown["coverage"] == 0.5
    # One half, one sixth, one sixth and one sixth of the loans are expected of the four.
    assert shown["novelty"] == pytest.approx((1 + math.log2(6) + 1) / 3)
    assert shown["gini"] == pytest.approx(gini([0, 0, 1, 2]))


def test_gini_is_0_for_equal_counts():
    assert gini([3, 3, 3]) == 0
    assert gini([0] * 99 + [5]) == pytest.approx(0.99)
    assert gini([0, 0]) == 0
