"""What the gate lets pass, with each reason in words."""

import pytest
from django.utils import translation
from hypothesis import given
from hypothesis import strategies as st

from classifier.messages import spoken
from classifier.services.registry.gate import judge


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
def test_it_must_be_no_worse_than_the_tolerance_and_lose_no_category(now, lost, passed):
    verdict = judge(comparison=comparison(now, 0.80, categories=lost), active="v1", tolerance=0.01)
    assert verdict.passed is passed
    words = [spoken(reason) for reason in verdict.reasons]
    assert words[0].startswith(f"Macro-F1 is {now:.3f}, against 0.800 of v1 on the same 100 books")
    assert ("worse by more than" in words[0]) is (now < 0.79)
    assert words[2] == (
        "It never answers with local/530, which v1 gets right."
        if lost
        else "No category is lost: it answers with every one that v1 gets right."
    )


@pytest.mark.parametrize(
    ("p_value", "says"),
    [(0.005, "more than chance would bring."), (0.3, "no more than chance would bring.")],
)
def test_what_mcnemars_test_says_is_in_words(p_value, says):
    found = comparison(0.8, 0.8, won=31, lost=12, p_value=p_value)
    verdict = judge(comparison=found, active="v1", tolerance=0)
    assert spoken(verdict.reasons[1]) == f"Better on 31 books, worse on 12: {says}"


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 0.5))
def test_a_better_one_always_passes_and_a_larger_tolerance_never_refuses_more(now, before, tolerance):
    found = comparison(now, before)
    if now >= before:
        assert judge(comparison=found, active="v1", tolerance=0).passed
    if judge(comparison=found, active="v1", tolerance=tolerance).passed:
        assert judge(comparison=found, active="v1", tolerance=tolerance + 0.1).passed


def test_a_reason_is_kept_in_no_language():
    reason = judge(comparison=comparison(0.8, 0.8), active="v1", tolerance=0).reasons[1]
    with translation.override("zh-hans"):
        assert spoken(reason) != spoken(reason).encode("ascii", "ignore").decode()
