"""Whether a candidate may take over by itself, and why: each reason in words."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_noop as _

from classifier.messages import Sentence, sentence

SIGNIFICANT = 0.05
"""A difference that chance brings less often than this is called one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether the gate is passed, and for which reasons."""

    passed: bool
    reasons: list[Sentence]

    def as_json(self) -> dict[str, Any]:
        """Return what a version's row keeps."""
        return {"passed": self.passed, "reasons": self.reasons}


def first_version() -> Verdict:
    """Pass what there is nothing to compare with."""
    return Verdict(passed=True, reasons=[sentence(_("It is the first version."))])


def unloadable(*, active: str, error: str) -> Verdict:
    """Pass what can be loaded where the active version cannot."""
    words = _("The active version %(active)s cannot be loaded, so any that can be is better. %(error)s")
    return Verdict(passed=True, reasons=[sentence(words, active=active, error=error)])


def incomparable(*, active: str, error: str) -> Verdict:
    """Let a person decide where nothing can be told."""
    words = _("It cannot be compared with %(active)s, so a person has to decide. %(error)s")
    return Verdict(passed=False, reasons=[sentence(words, active=active, error=error)])


def judge(*, comparison: dict[str, Any], active: str, tolerance: float) -> Verdict:
    """Judge a candidate by its comparison with the active version.

    Parameters
    ----------
    comparison : dict
        See `classifier.pipeline.training.challenger.contest`.
    active : str
        Name of the active version.
    tolerance : float
        How much lower the candidate's macro-F1 may be.
    """
    now, before = (comparison[who]["macro_f1"] for who in ("candidate", "active"))
    no_worse = now >= before - tolerance - 1e-9  # a difference of just the tolerance is within it
    score = (
        _(
            "Macro-F1 is %(now)s, against %(before)s of %(active)s on the same %(books)s books that neither "
            "has learned from: no worse than by the tolerance of %(tolerance)s."
        )
        if no_worse
        else _(
            "Macro-F1 is %(now)s, against %(before)s of %(active)s on the same %(books)s books that neither "
            "has learned from: worse by more than the tolerance of %(tolerance)s."
        )
    )
    reasons = [
        sentence(
            score, now=f"{now:.3f}", before=f"{before:.3f}", active=active, books=comparison["books"],
            tolerance=f"{tolerance:g}",
        ),
        luck(comparison["mcnemar"]),
    ]  # fmt: skip
    if lost := comparison["lost"]:
        words = _("It never answers with %(categories)s, which %(active)s gets right.")
        reasons.append(sentence(words, categories=", ".join(lost), active=active))
    else:
        words = _("No category is lost: it answers with every one that %(active)s gets right.")
        reasons.append(sentence(words, active=active))
    return Verdict(passed=no_worse and not lost, reasons=reasons)


def luck(mcnemar: dict[str, float]) -> Sentence:
    """Return the outcome of McNemar's test in words."""
    if not mcnemar["won"] + mcnemar["lost"]:
        return sentence(_("Both are right on the same books."))
    words = (
        _("Better on %(won)s books, worse on %(lost)s: more than chance would bring.")
        if mcnemar["p_value"] < SIGNIFICANT
        else _("Better on %(won)s books, worse on %(lost)s: no more than chance would bring.")
    )
    return sentence(words, won=mcnemar["won"], lost=mcnemar["lost"])
