import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from classifier.services.runs.pace import USUAL, Pace

KINDS = sorted(USUAL)
PHASES = sorted({phase for phases in USUAL.values() for phase in phases} | {"a phase nobody knows"})
STEPS = st.lists(
    st.tuples(st.sampled_from(PHASES), st.integers(0, 5), st.integers(0, 4), st.floats(0, 1000)), max_size=30
)


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def go(pace, clock, *, times=1.0, steps=10):
    """Take a run of two phases, 40 and 60 seconds long, to its end; yield (seconds left, what is said)."""
    for phase, seconds in (("reading suggestions", 40), ("saving", 60)):
        for step in range(steps):
            pace.step(phase, step, steps)
            clock.now += times * seconds / steps
            yield clock.now, *pace.reading()
    pace.step("saving", 1, 1)


@pytest.mark.parametrize("kind", KINDS)
def test_the_usual_phases_are_the_whole(kind):
    assert sum(USUAL[kind].values()) == pytest.approx(1)


@given(kind=st.sampled_from(KINDS), steps=STEPS, earlier=STEPS, scale=st.floats(0.5, 2))
def test_progress_never_falls_and_stays_below_the_end_until_it_is_there(kind, steps, earlier, scale):
    clock = Clock()
    before = Pace(kind=kind, clock=clock)
    for phase, done, total, seconds in earlier:
        before.step(phase, done, total)
        clock.now += seconds
    clock.now += 1
    timeline = json.loads(json.dumps(before.timeline()))
    for pace in (Pace(kind=kind, clock=clock), Pace(kind=kind, earlier=timeline, scale=scale, clock=clock)):
        said = [pace.reading()]
        for phase, done, total, seconds in steps:
            pace.step(phase, done, total)
            clock.now += seconds
            said.append(pace.reading())
        assert all(first[0] <= second[0] for first, second in pairwise(said))
        assert all(0 <= progress < 1 for progress, _ in said)
        assert all(left is None or left >= 0 for _, left in said)


def test_a_phase_that_is_quick_this_time_says_nothing_of_the_next():
    clock = Clock()
    last = Pace(kind="order_reviews", clock=clock)
    list(go(last, clock))
    clock = Clock()
    pace = Pace(kind="order_reviews", earlier=last.timeline(), clock=clock)
    pace.step("reading suggestions", 0, 1)
    clock.now += 0.1
    pace.step("reading suggestions", 1, 1)
    for second in range(60):
        pace.step("saving", second, 60)
        if second > 5:
            assert pace.reading()[1] == pytest.approx(60 - second, rel=0.05)
        clock.now += 1


@pytest.mark.parametrize("times", [0.5, 1.0, 3.0])
def test_a_run_like_the_last_one_is_estimated_by_it_at_any_speed(times):
    clock = Clock()
    last = Pace(kind="order_reviews", clock=clock)
    list(go(last, clock))
    clock = Clock()
    pace = Pace(kind="order_reviews", earlier=last.timeline(), clock=clock)
    end = clock.now + times * 100
    for now, progress, left in go(pace, clock, times=times):
        if 0.5 <= (now - 100) / (times * 100) < 1:
            assert progress == pytest.approx((now - 100) / (times * 100), abs=0.02)
            assert left == pytest.approx(end - now, rel=0.3)


def test_nobody_guesses_before_anything_is_known():
    assert Pace(kind="order_reviews", clock=Clock()).reading() == (0.0, None)


def test_a_timeline_stays_small():
    clock = Clock()
    pace = Pace(kind="order_reviews", clock=clock)
    for step in range(100_000):
        pace.step("learning", step, 100_000)
    assert len(pace.timeline()) < 60


def test_a_phase_that_the_last_one_did_not_have_is_reckoned_with():
    first = [("learning", 0.0, 0.0), ("learning", 1.0, 40.0), ("saving", 0.0, 40.0), ("saving", 1.0, 42.0)]
    clock = Clock()
    pace = Pace(kind="train", earlier=[*first, ("", 1.0, 42.0)], clock=clock)
    usual = USUAL["train"]
    had = usual["learning"] + usual["saving"]
    pace.step("saving", 1, 1)
    assert pace.reading()[1] == pytest.approx(42 * usual["looking at what would change"] / had)
