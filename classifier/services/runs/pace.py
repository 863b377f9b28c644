"""How far a run is and how long it will take, judged by how earlier ones of its kind went.

A timeline is what a run leaves behind: knots of (phase, share of the phase, seconds since the start). The
next run of the kind looks up where it stands on it; the first one stands on a guess.
"""

import time
from bisect import bisect_right
from collections.abc import Callable, Iterable, Sequence
from threading import Lock

from django.utils.translation import gettext_noop as _

Knot = tuple[str, float, float]

READING = _("reading the catalogue")
JUDGING = _("judging")
SAVING = _("saving")
PREVIEWING = _("looking at what would change")
MISFILED = _("looking for misfiled books")
TAKING_BACK = _("taking back")
COUNTING = _("counting loans")
LINKING = _("saving links of titles")
#: By kind: its phases in order, and what share of the time each takes on the demo and on a real library.
USUAL: dict[str, dict[str, float]] = {
    "train": {
        READING: 0.01,
        _("reading books"): 0.1,
        _("reading sentences"): 0.01,
        _("learning"): 0.385,
        _("learning with the held-out books"): 0.385,
        JUDGING: 0.01,
        SAVING: 0.02,
        PREVIEWING: 0.08,
    },
    "tune": {
        READING: 0.01,
        _("reading books"): 0.04,
        _("reading sentences"): 0.01,
        _("searching"): 0.88,
        _("measuring the defaults"): 0.03,
        _("measuring what was found"): 0.03,
    },
    "reclassify": {READING: 0.1, _("classifying"): 0.85, MISFILED: 0.05},
    "undo": {READING: 0.05, TAKING_BACK: 0.95},
    "recommend": {
        READING: 0.03,
        _("reading books"): 0.04,
        _("comparing books"): 0.1,
        _("comparing loans"): 0.01,
        _("comparing texts"): 0.03,
        _("comparing covers"): 0.03,
        _("comparing themes"): 0.04,
        _("learning what follows"): 0.3,
        LINKING: 0.15,
        COUNTING: 0.02,
        _("recommending"): 0.15,
        SAVING: 0.1,
    },
    "draw_map": {READING: 0.1, _("comparing books"): 0.3, _("laying out"): 0.6},
    "order_reviews": {
        READING: 0.1,
        _("reading suggestions"): 0.2,
        _("comparing books"): 0.4,
        SAVING: 0.3,
    },
}
_STEP = 0.02
"""A knot each fiftieth of a phase: a timeline stays small however many steps a phase has."""


class Pace:
    """Where a run stands; told by one thread, asked by another.

    Parameters
    ----------
    kind : str
    earlier : sequence of Knot
        Timeline of an earlier run of the kind, its last knot at the end; none if there is none.
    scale : float
        How many times the earlier one's data this run has.
    clock : callable
        Returns seconds.
    """

    def __init__(
        self,
        *,
        kind: str,
        earlier: Sequence[Knot] = (),
        scale: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._learnt = bool(earlier)
        knots = [(phase, share, at * scale) for phase, share, at in _whole(kind, earlier)]
        self._knots: dict[str, list[tuple[float, float]]] = {}
        for phase, share, at in knots:
            self._knots.setdefault(phase, []).append((share, at))
        self._times = sorted({at for _phase, _share, at in knots})
        self._whole = self._times[-1]
        self._clock = clock
        self._began = clock()
        self._lock = Lock()
        self._own: list[Knot] = []
        self._position = 0.0  # on the earlier timeline
        self._told_at = self._began
        self._phase_began = (self._began, 0.0)  # when, and where on the earlier timeline
        #: Seconds of this run for one of the earlier one's; of the usual one there are no seconds to go by.
        self._speed = 1.0 if self._learnt else None
        self._progress = 0.0

    def step(self, phase: str, done: int, total: int) -> None:
        """Note how far a phase is."""
        name, share = phase.partition(":")[0], min(1.0, done / total) if total else 1.0
        with self._lock:
            now = self._clock()
            before, was = self._own[-1][:2] if self._own else ("", 0.0)
            if name != before:
                self._speed = self._measured()
            if name != before or abs(share - was) >= _STEP or share == 1 != was:
                self._own.append((name, share, round(now - self._began, 3)))
            if name in self._knots:
                self._position = max(self._position, _between(self._knots[name], share))
            if name != before:
                self._phase_began = now, self._position
            self._told_at = now

    def reading(self) -> tuple[float, float | None]:
        """Return the progress, which never falls, and the seconds left, None if nobody can tell."""
        with self._lock:
            now = self._clock()
            done = self._expected(now) / self._whole
            self._progress = max(self._progress, min(done, 0.99))  # 1 is for the end
            return self._progress, self._left(now)

    def timeline(self) -> list[Knot]:
        """Return the knots of this run, which ends now."""
        with self._lock:
            return [*self._own, ("", 1.0, round(self._clock() - self._began, 3))]

    def _expected(self, now: float) -> float:
        """Return where it stands on the earlier timeline: it goes on between two steps, not past the next."""
        speed = self._measured()
        if not speed:
            return self._position
        after = bisect_right(self._times, self._position)
        limit = self._times[min(after, len(self._times) - 1)]
        return min(self._position + (now - self._told_at) / speed, max(limit, self._position))

    def _measured(self) -> float | None:
        """Return the speed in this phase; until it has got somewhere, that before it.

        In this phase alone: one that is quick this time, as its features are kept, says nothing of the next.
        """
        began, position = self._phase_began
        got = self._position - position
        took = self._told_at - began
        return took / got if got >= _STEP * self._whole and took > 0 else self._speed

    def _left(self, now: float) -> float | None:
        speed = self._measured()
        if speed is None:
            return None
        return max(0.0, self._whole - self._expected(now)) * speed


def _whole(kind: str, earlier: Sequence[Knot]) -> list[Knot]:
    """Return an earlier run's knots, with the usual time of last phases that it did not have.

    The first training of an installation is compared with none before it, and has nothing to preview.
    """
    if not earlier:
        return [knot for knot in _usual(kind) if knot[0] != PREVIEWING]
    usual = USUAL[kind]
    had = [phase for phase in usual if phase in {name for name, _share, _at in earlier}]
    known = sum(usual[phase] for phase in had)
    knots = list(earlier)
    for phase in list(usual)[list(usual).index(had[-1]) + 1 :] if had else []:
        at = knots[-1][2]
        knots += [(phase, 0.0, at), (phase, 1.0, at + earlier[-1][2] * usual[phase] / known)]
    return knots


def _usual(kind: str) -> list[Knot]:
    knots: list[Knot] = []
    at = 0.0
    for phase, share in USUAL[kind].items():
        knots += [(phase, 0.0, at), (phase, 1.0, at + share)]
        at += share
    return knots


def _between(knots: Iterable[tuple[float, float]], share: float) -> float:
    """Return the time of a share of a phase, by the knots on both sides of it."""
    before, after = None, None
    for x, at in knots:
        if x <= share and (before is None or x >= before[0]):
            before = x, at
        if x >= share and (after is None or x < after[0]):
            after = x, at
    if before is None or after is None:
        return (before or after or (0.0, 0.0))[1]
    if after[0] == before[0]:
        return after[1]
    return before[1] + (after[1] - before[1]) * (share - before[0]) / (after[0] - before[0])
