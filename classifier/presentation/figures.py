"""What a version's stored metrics say, as charts: where it errs, whether it knows, what abstaining brings."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from classifier.models import ModelVersion
from classifier.presentation import evidence
from library.admin_site.widgets.charts import Chart, Series, heatmap, line_chart
from library.catalogue.models import Category

MOST = 40
"""Categories of the confusion that are drawn: more are no picture, and their table no page."""
FIGURES = {
    "accuracy": gettext_lazy("accuracy"),
    "macro_f1": gettext_lazy("macro-F1"),
    "top3": gettext_lazy("right one among the first three"),
    "calibration_error": gettext_lazy("calibration error"),
}


def category_names(keys: Sequence[str]) -> dict[str, str]:
    """Return what categories are called, by key; one that is gone by its key."""
    notations = {key.partition("/")[2] for key in keys}
    rows = Category.objects.filter(notation__in=notations)
    return dict(zip(keys, keys, strict=True)) | {f"{c.scheme}/{c.notation}": str(c) for c in rows}


def charts(version: ModelVersion) -> list[Chart]:
    """Return the charts of a version; those that its metrics do not have are left out."""
    return [
        chart
        for chart in (coverage_chart([version]), reliability_chart([version]), confusion_chart(version))
        if chart is not None
    ]


def confusion_chart(version: ModelVersion) -> Chart | None:
    """Return which category books of each category were taken for."""
    cells = version.metrics.get("confusion")
    classes: list[str] = version.metrics.get("classes", [])
    if not cells or not classes:
        return None
    wrong: Counter[int] = Counter()
    for right, guess, books in cells:
        if right != guess:
            wrong.update({right: books, guess: books})
    seen = {index for right, guess, _books in cells for index in (right, guess)}
    shown = sorted(sorted(seen, key=lambda index: -wrong[index])[:MOST])
    names = category_names([classes[index] for index in shown])
    labels = [names[classes[index]] for index in shown]
    count = {(right, guess): books for right, guess, books in cells}
    words = _("Held-out books by the category they are of (down) and the one they were taken for (across).")
    if len(seen) > len(shown):
        words += " " + _("The %(shown)s of %(all)s categories with the most errors.") % {
            "shown": len(shown), "all": len(seen),
        }  # fmt: skip
    return heatmap(
        name="confusion",
        title=_("Confusion"),
        definition=words,
        labels=labels,
        series=[
            Series(label, [count.get((right, guess), 0) for guess in shown])
            for label, right in zip(labels, shown, strict=True)
        ],
        label_name=_("taken for"),
        unit=_("books"),
    )


def reliability_chart(versions: Sequence[ModelVersion]) -> Chart | None:
    """Return what was promised, and what share of the answers was right."""
    found = [version for version in versions if version.metrics.get("reliability")]
    if not found:
        return None
    edges = sorted({_edges(row) for version in found for row in version.metrics["reliability"]})
    series = []
    for version in found:
        rows = {_edges(row): row for row in version.metrics["reliability"]}
        right = [_percent(rows[edge]["accuracy"]) if edge in rows else None for edge in edges]
        series.append(Series(_named(_("right"), version, found), right))
        if len(found) == 1:
            promised = [_percent(rows[edge]["confidence"]) if edge in rows else None for edge in edges]
            series.append(Series(_("promised"), promised, dashed=True))
    if len(found) > 1:
        series.append(Series(_("promised"), [_percent(sum(edge) / 2) for edge in edges], dashed=True))
    labels = [f"{low:.0%}–{high:.0%}" for low, high in edges]
    if len(found) == 1:
        books = {_edges(row): row["books"] for row in found[0].metrics["reliability"]}
        labels = [f"{label} ({books[edge]})" for label, edge in zip(labels, edges, strict=True)]
    return line_chart(
        name="reliability",
        title=_("Reliability"),
        definition=_(
            "Of held-out books by how sure the answer was: how many were right. Ideally as many as promised."
        ),
        labels=labels,
        series=series,
        label_name=_("probability of the answer (books)")
        if len(found) == 1
        else _("probability of the answer"),
        unit="%",
        decimals=1,
    )


def coverage_chart(versions: Sequence[ModelVersion]) -> Chart | None:
    """Return how many answers are right where only the surest are given."""
    found = [version for version in versions if version.metrics.get("selective", {}).get("curve")]
    if not found:
        return None
    curves = [_curve(version) for version in found]
    shares = sorted({share for curve in curves for share in curve})
    return line_chart(
        name="coverage",
        title=_("Accuracy and coverage"),
        definition=_("If only the surest answers are given, to so many books: how many of them are right."),
        labels=[f"{share}%" for share in shares],
        series=[
            Series(
                _named(_("right"), version, found),
                [_percent(curve[share]) if share in curve else None for share in shares],
            )
            for version, curve in zip(found, curves, strict=True)
        ],
        label_name=_("books that get an answer"),
        unit="%",
        decimals=1,
    )


def steps(version: ModelVersion) -> list[tuple[int, float]]:
    """Return the coverage and the accuracy of each step of the curve, in percent, the widest first."""
    return [(share, round(100 * right, 1)) for share, right in sorted(_curve(version).items(), reverse=True)]


def at_precision(version: ModelVersion) -> list[tuple[str, str, str, str]]:
    """Return for each precision wanted the threshold, the coverage and the precision reached."""
    found = version.metrics.get("selective", {}).get("at_precision", {})
    return [
        (
            f"{float(wanted):.0%}",
            _three(row["threshold"]),
            f"{row['coverage']:.0%}",
            f"{row['precision']:.1%}",
        )
        if row["precision"] is not None
        else (f"{float(wanted):.0%}", "-", "-", "-")
        for wanted, row in found.items()
    ]


def by_evidence(metrics: Mapping[str, Any]) -> list[tuple[Any, list[str]]]:
    """Return the figures of the whole and of each kind of evidence alone: a name, and a cell a figure."""
    rows = []
    for name, values in metrics.items():
        if isinstance(values, dict) and "accuracy" in values:
            rows.append((evidence_name(name), [_three(values.get(figure)) for figure in FIGURES]))
    return rows


def evidence_name(name: str) -> Any:
    """Return what people call a row of figures."""
    return {"fused": _("all together"), "majority": _("always the largest category")}.get(
        name, evidence.modality(name)
    )


def _curve(version: ModelVersion) -> dict[int, float]:
    """Return the accuracy of the surest answers by the share of the books, in percent, that get one."""
    curve = version.metrics.get("selective", {}).get("curve", [])
    return {round(100 * covered): right for covered, right in curve}


def _three(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _named(word: str, version: ModelVersion, of: Sequence[ModelVersion]) -> str:
    return f"{word}: {version.name}" if len(of) > 1 else word


def _edges(row: Mapping[str, float]) -> tuple[float, float]:
    return round(row["from"], 4), round(row["to"], 4)


def _percent(value: float) -> float:
    return round(100 * value, 2)
