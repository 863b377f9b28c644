"""Paired bars: two versions on the same test books, and the data at training and now."""

from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from classifier.messages import render
from classifier.models import DriftReport, ModelVersion
from classifier.presentation import evidence
from classifier.services.registry.gate import significance_message
from library.catalogue.models import Category

_MAX_BARS = 12
"""Bars per section; the table has all rows."""


def comparison_bars(version: ModelVersion) -> SafeString | str:
    """Return the comparison of a version with the version that was active when it was trained."""
    comparison = version.comparison
    if not comparison:
        return "-"
    metrics = {
        "accuracy": _("accuracy"),
        "macro_f1": _("macro-F1"),
        "calibration_error": _("calibration error"),
        "calibration_noise": _("expected by chance"),
    }
    all_books = {
        "name": _("all"),
        "books": comparison["books"],
        **{
            model: round(comparison[model]["accuracy"] * comparison["books"])
            for model in ("candidate", "active")
        },
    }
    categories = _category_names()
    sections = [
        _section(_("Accuracy on test books new to both"), [all_books]),
        _section(_("By language"), comparison["by_language"], name=lambda name: name or _("unknown")),
        _section(_("By available evidence"), comparison["by_modalities"], name=_modality_names),
        _section(_("By category"), comparison["by_category"], name=lambda key: categories.get(key, key)),
    ]
    context = {
        "candidate": version.name,
        "active": version.parent.name if version.parent else _("the active version"),
        "significance": render(significance_message(comparison["mcnemar"])),
        "sections": sections,
        "metrics": [
            (name, f"{comparison['candidate'][key]:.3f}", f"{comparison['active'][key]:.3f}")
            for key, name in metrics.items()
        ],
    }
    return render_to_string("classifier/comparison.html", context)


def drift_bars(report: DriftReport) -> SafeString:
    """Return the monitored shares at training and now."""
    names = {
        "description": _("with a description"),
        "cover": _("with a cover"),
        "audio": _("with a recording"),
        "loans": _("borrowed at least once"),
        "unknown_words": _("unknown words"),
        "confidence": _("mean confidence"),
    }
    rows = []
    for row in report.metrics["input"]:
        if row["what"] == "languages":
            shares = sorted(row["shares"], key=lambda share: -max(share[1:]))[:_MAX_BARS]
            rows += [_bar(share[0] or _("unknown"), *share[1:], drifted=row["moved"]) for share in shares]
        else:
            rows.append(_bar(names[row["what"]], row["then"], row["now"], drifted=row["moved"]))
    bins = [
        _bar(f"{b['from']:.0%}-{b['to']:.0%} ({b['books']})", b["confidence"], b["accuracy"])
        for b in report.metrics["calibration"]["bins"]
    ]
    return render_to_string("classifier/drift.html", {"rows": rows, "bins": bins})


def _bar(name: str, before: float, after: float, *, drifted: bool = False) -> dict[str, Any]:
    return {
        "name": name, "before": before, "after": after, "drifted": drifted,
        "percent": f"{before:.0%} → {after:.0%}",
    }  # fmt: skip


def _section(heading: str, groups: list[dict[str, Any]], name: Any = str) -> dict[str, Any]:
    rows = [
        {
            "name": name(group["name"]),
            "books": group["books"],
            "candidate": group["candidate"] / group["books"],
            "active": group["active"] / group["books"],
            "candidate_correct": group["candidate"],
            "active_correct": group["active"],
            "percent": f"{group['candidate'] / group['books']:.0%} / {group['active'] / group['books']:.0%}",
            "label": _("%(candidate)s and %(active)s of %(books)s books classified correctly") % group,
        }
        for group in groups
    ]
    # Of many rows, those in which the two versions differ most.
    largest = sorted(rows, key=lambda row: -abs(row["candidate_correct"] - row["active_correct"]))[:_MAX_BARS]
    return {"heading": heading, "rows": rows, "bars": largest if len(rows) > _MAX_BARS else rows}


def _modality_names(joined: str) -> str:
    return " + ".join(str(evidence.modality(name)) for name in joined.split("+") if name) or _("no evidence")


def _category_names() -> dict[str, str]:
    return {f"{c.scheme}/{c.notation}": str(c) for c in Category.objects.all()}
