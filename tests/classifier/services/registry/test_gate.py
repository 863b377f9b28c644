"""Quality check of a candidate, with its reasons."""

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from classifier.messages import render
from classifier.services.registry.gate import check


def comparison(now, before, *, won=0, lost=0, p_value=1.0, categories=()):
    return {
        "books": 100,
        "candidate": {"macro_f1": now},
        "active": {"macro_f1": before},
        "mcnemar": {"won": won, "lost": lost, "p_value": p_value},
        "lost": list(categories),
    }


@pytest.mark.parametrize(
    ("now", "lost", "passed"),
    [(0.80, [], True), (0.79, [], True), (0.7899, [], False), (0.90, ["local/530"], False)],
)
def test_tolerance_and_lost_categories(now, lost, passed):
    verdict = check(comparison=comparison(now, 0.80, categories=lost), active="v1", tolerance=0.01)
    assert verdict.passed is passed
    words = [render(reason) for reason in verdict.reasons]
    assert words[0].startswith(
        f"Macro-F1 is {now:.3f}, compared with 0.800 for v1 on the same 100 test books"
    )
    assert ("lower by more than" in words[0]) is (now < 0.79)
    assert words[2] == (
        "This version never predicts local/530, which v1 predicts correctly."
        if lost
        else "No category is lost: this version predicts every category that v1 gets right."
    )


@pytest.mark.parametrize(
    ("p_value", "outcome"),
    [(0.005, "a significant difference"), (0.3, "not a significant difference")],
)
def test_what_mcnemars_test_says_is_in_words(p_value, outcome):
    found = comparison(0.8, 0.8, won=31, lost=12, p_value=p_value)
    verdict = check(comparison=found, active="v1", tolerance=0)
    assert render(verdict.reasons[1]) == f"Better on 31, worse on 12 — {outcome}."


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 0.5))
def test_better_candidate_passes_with_any_tolerance(now, before, tolerance):
    found = comparison(now, before)
    if now >= before:
        assert check(comparison=found, active="v1", tolerance=0).passed
    if check(comparison=found, active="v1", tolerance=tolerance).passed:
        assert check(comparison=found, active="v1", tolerance=tolerance + 0.1).passed


def test_a_reason_is_kept_in_no_language():
    reason = check(comparison=comparison(0.8, 0.8), active="v1", tolerance=0).reasons[1]
    with translation.override("zh-hans"):
        assert render(reason) != render(reason).encode("ascii", "ignore").decode()
