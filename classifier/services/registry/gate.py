"""Quality check of a candidate: may it become active without a person, with the reasons."""

from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_noop as _

from classifier.messages import Message, message

SIGNIFICANT = 0.05
"""Largest p-value of a difference that counts as significant."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Outcome of the quality check, with its reasons."""

    passed: bool
    reasons: list[Message]

    def as_json(self) -> dict[str, Any]:
        """Return the verdict as `ModelVersion.verdict` stores it."""
        return {"passed": self.passed, "reasons": self.reasons}


def first_version() -> Verdict:
    """Pass the first version, which can be compared with nothing."""
    return Verdict(passed=True, reasons=[message(_("This is the first version."))])


def unloadable(*, active: str, error: str) -> Verdict:
    """Pass a version that loads if the active one does not."""
    text = _(
        "The active version %(active)s cannot be loaded, so any version that loads is an "
        "improvement. %(error)s"
    )
    return Verdict(passed=True, reasons=[message(text, active=active, error=error)])


def incomparable(*, active: str, error: str) -> Verdict:
    """Leave the decision to a person if the versions cannot be compared."""
    text = _("This version cannot be compared with %(active)s, so you have to decide. %(error)s")
    return Verdict(passed=False, reasons=[message(text, active=active, error=error)])


def check(*, comparison: dict[str, Any], active: str, tolerance: float) -> Verdict:
    """Check a candidate by the result of `compare_challenger` with the active version.

    Parameters
    ----------
    tolerance
        How much lower the candidate's macro-F1 may be.
    """
    now, before = (comparison[version]["macro_f1"] for version in ("candidate", "active"))
    no_worse = now >= before - tolerance - 1e-9  # a difference of exactly the tolerance is within it
    score = (
        _(
            "Macro-F1 is %(now)s, compared with %(before)s for %(active)s on the same %(books)s "
            "test books new to both: within the tolerance of %(tolerance)s."
        )
        if no_worse
        else _(
            "Macro-F1 is %(now)s, compared with %(before)s for %(active)s on the same %(books)s "
            "test books new to both: lower by more than the tolerance of %(tolerance)s."
        )
    )
    reasons = [
        message(
            score, now=f"{now:.3f}", before=f"{before:.3f}", active=active, books=comparison["books"],
            tolerance=f"{tolerance:g}",
        ),
        significance_message(comparison["mcnemar"]),
    ]  # fmt: skip
    if lost := comparison["lost"]:
        text = _("This version never predicts %(categories)s, which %(active)s predicts correctly.")
        reasons.append(message(text, categories=", ".join(lost), active=active))
    else:
        text = _("No category is lost: this version predicts every category that %(active)s gets right.")
        reasons.append(message(text, active=active))
    return Verdict(passed=no_worse and not lost, reasons=reasons)


def significance_message(mcnemar: dict[str, float]) -> Message:
    """Return a message about the outcome of McNemar's test."""
    if not mcnemar["won"] + mcnemar["lost"]:
        return message(_("Both versions are right on the same books."))
    text = (
        _("Better on %(won)s, worse on %(lost)s — a significant difference.")
        if mcnemar["p_value"] < SIGNIFICANT
        else _("Better on %(won)s, worse on %(lost)s — not a significant difference.")
    )
    return message(text, won=mcnemar["won"], lost=mcnemar["lost"])
