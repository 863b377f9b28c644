"""What the pages of versions and of drift draw: shares as bars, two by two."""

from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from classifier.messages import spoken
from classifier.models import DriftReport, ModelVersion
from classifier.presentation import evidence
from classifier.services.registry.gate import luck
from library.catalogue.models import Category

_SHOWN = 12
"""Bars of a section: more are no picture any more, and stand in the table."""


def comparison(version: ModelVersion) -> SafeString | str:
    """Return a version's comparison with the one that was active: a picture, and the table under it."""
    found = version.comparison
    if not found:
        return "-"
    figures = {
        "accuracy": _("accuracy"),
        "macro_f1": _("macro-F1"),
        "calibration_error": _("calibration error"),
        "calibration_noise": _("of which chance"),
    }
    everything = {
        "name": _("all"),
        "books": found["books"],
        **{who: round(found[who]["accuracy"] * found["books"]) for who in ("candidate", "active")},
    }
    categories = _categories()
    sections = [
        _section(_("Right of all held-out books that neither has learned from"), [everything]),
        _section(_("By language"), found["by_language"], name=lambda name: name or _("unknown")),
        _section(_("By what is known of the book"), found["by_modalities"], name=_modalities),
        _section(_("By category"), found["by_category"], name=lambda key: categories.get(key, key)),
    ]
    context = {
        "candidate": version.name,
        "active": version.parent.name if version.parent else _("the active one"),
        "luck": spoken(luck(found["mcnemar"])),
        "sections": sections,
        "figures": [
            (words, f"{found['candidate'][key]:.3f}", f"{found['active'][key]:.3f}")
            for key, words in figures.items()
        ],
    }
    return render_to_string("classifier/comparison.html", context)


def drift(report: DriftReport) -> SafeString:
    """Return then and now of everything that was looked at, as bars."""
    names = {
        "description": _("with a description"),
        "cover": _("with a cover"),
        "audio": _("with a recording"),
        "loans": _("ever lent"),
        "unknown_words": _("unknown words"),
        "confidence": _("mean probability"),
    }
    rows = []
    for row in report.figures["input"]:
        if row["what"] == "languages":
            shares = sorted(row["shares"], key=lambda share: -max(share[1:]))[:_SHOWN]
            rows += [_bar(share[0] or _("unknown"), *share[1:], moved=row["moved"]) for share in shares]
        else:
            rows.append(_bar(names[row["what"]], row["then"], row["now"], moved=row["moved"]))
    bins = [
        _bar(f"{b['from']:.0%}-{b['to']:.0%} ({b['books']})", b["confidence"], b["accuracy"])
        for b in report.figures["calibration"]["bins"]
    ]
    return render_to_string("classifier/drift.html", {"rows": rows, "bins": bins})


def _bar(name: str, then: float, now: float, *, moved: bool = False) -> dict[str, Any]:
    return {"name": name, "then": then, "now": now, "moved": moved, "percent": f"{then:.0%} → {now:.0%}"}


def _section(heading: str, groups: list[dict[str, Any]], name: Any = str) -> dict[str, Any]:
    rows = [
        {
            "name": name(group["name"]),
            "books": group["books"],
            "candidate": group["candidate"] / group["books"],
            "active": group["active"] / group["books"],
            "candidate_right": group["candidate"],
            "active_right": group["active"],
            "percent": f"{group['candidate'] / group['books']:.0%} / {group['active'] / group['books']:.0%}",
            "label": _("%(candidate)s and %(active)s of %(books)s books right") % group,
        }
        for group in groups
    ]
    # Of many, those that tell the two apart.
    shown = sorted(rows, key=lambda row: -abs(row["candidate_right"] - row["active_right"]))[:_SHOWN]
    return {"heading": heading, "rows": rows, "shown": shown if len(rows) > _SHOWN else rows}


def _modalities(joined: str) -> str:
    return " + ".join(str(evidence.modality(name)) for name in joined.split("+") if name) or _("nothing")


def _categories() -> dict[str, str]:
    return {f"{c.scheme}/{c.notation}": str(c) for c in Category.objects.all()}
