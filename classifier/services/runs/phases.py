"""Phases of each kind of run, in order, and the progress they add up to."""

from threading import Lock

from django.utils.translation import gettext_noop as _

from classifier.models import Run

READING = _("reading the catalogue")
EVALUATING = _("evaluating")
SAVING = _("saving")
PREVIEWING = _("previewing changes")
FINDING_MISFILES = _("finding possible misfiles")
UNDOING = _("undoing changes")
COUNTING = _("counting loans")
LINKING = _("saving related titles")
#: A run may skip a phase: the first training has no version to preview changes against.
PHASES: dict[str, tuple[str, ...]] = {
    Run.Kind.TRAIN: (
        READING,
        _("reading books"),
        _("computing text embeddings"),
        _("training"),
        _("training again with the test books"),
        EVALUATING,
        SAVING,
        PREVIEWING,
    ),
    Run.Kind.TUNE: (
        READING,
        _("reading books"),
        _("computing text embeddings"),
        _("searching settings"),
        _("evaluating the default settings"),
        _("evaluating the best settings found"),
    ),
    Run.Kind.RECLASSIFY: (READING, _("classifying"), FINDING_MISFILES),
    Run.Kind.UNDO: (READING, UNDOING),
    Run.Kind.RECOMMEND: (
        READING,
        _("reading books"),
        _("comparing books"),
        _("comparing loans"),
        _("comparing texts"),
        _("comparing covers"),
        _("comparing topics"),
        _("learning borrowing sequences"),
        LINKING,
        COUNTING,
        _("generating recommendations"),
        SAVING,
    ),
    Run.Kind.DRAW_MAP: (READING, _("comparing books"), _("computing the layout")),
    Run.Kind.ORDER_REVIEWS: (READING, _("reading suggestions"), _("comparing books"), SAVING),
}


def phase_position(*, kind: str, phase: str) -> tuple[int | None, int]:
    """Return a phase's position, from 1 (None if its kind has no such phase), and the number of phases."""
    phases = PHASES[kind]
    return phases.index(phase) + 1 if phase in phases else None, len(phases)


class PhaseProgress:
    """Thread-safe progress of one run: every phase counts the same, and progress never falls."""

    def __init__(self, *, kind: str) -> None:
        self._kind = kind
        self._lock = Lock()
        self._phase, self._progress = "", 0.0

    def step(self, phase: str, done: int, total: int) -> None:
        """Record how far a phase is; text after a colon in `phase` is detail for a terminal."""
        name, share = phase.partition(":")[0], min(1.0, done / total) if total else 1.0
        number, count = phase_position(kind=self._kind, phase=name)
        with self._lock:
            self._phase = name
            if number is not None:
                reached = (number - 1 + share) / count
                # 1 is reserved for a run that has ended.
                self._progress = max(self._progress, min(reached, 0.99))

    def read(self) -> tuple[str, float]:
        """Return the phase and the progress, from 0 to 0.99."""
        with self._lock:
            return self._phase, self._progress
