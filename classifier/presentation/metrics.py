"""Metrics of a model version as tables and charts: errors, calibration, and the effect of abstaining."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from classifier.models import ModelVersion
from classifier.presentation import evidence
from library.admin_site.widgets.charts import Chart, Series, heatmap, line_chart
from library.catalogue.models import Category

MAX_CATEGORIES = 40
"""Categories in the confusion matrix; a larger one is not readable, and neither is its table."""
METRICS = {
    "accuracy": gettext_lazy("accuracy"),
    "macro_f1": gettext_lazy("macro-F1"),
    "top3": gettext_lazy("top-3 accuracy"),
    "calibration_error": gettext_lazy("calibration error"),
}


def category_names(keys: Sequence[str]) -> dict[str, str]:
    """Return the display names of categories by key; a deleted category keeps its key."""
    notations = {key.partition("/")[2] for key in keys}
    rows = Category.objects.filter(notation__in=notations)
    return dict(zip(keys, keys, strict=True)) | {f"{c.scheme}/{c.notation}": str(c) for c in rows}


def charts(version: ModelVersion) -> list[Chart]:
    """Return the charts for which a version has metrics."""
    return [
        chart
        for chart in (coverage_chart([version]), reliability_chart([version]), confusion_chart(version))
        if chart is not None
    ]


def confusion_chart(version: ModelVersion) -> Chart | None:
    """Return the confusion matrix; of many categories, those with the most errors."""
    cells = version.metrics.get("confusion")
    classes: list[str] = version.metrics.get("classes", [])
    if not cells or not classes:
        return None
    errors: Counter[int] = Counter()
    for true, predicted, books in cells:
        if true != predicted:
            errors.update({true: books, predicted: books})
    present = {index for true, predicted, _books in cells for index in (true, predicted)}
    drawn = sorted(sorted(present, key=lambda index: -errors[index])[:MAX_CATEGORIES])
    names = category_names([classes[index] for index in drawn])
    labels = [names[classes[index]] for index in drawn]
    count = {(true, predicted): books for true, predicted, books in cells}
    definition = _("Confusion matrix on test books: true category (rows), predicted category (columns).")
    if len(present) > len(drawn):
        definition += " " + _("Shows the %(shown)s of %(all)s categories with the most errors.") % {
            "shown": len(drawn), "all": len(present),
        }  # fmt: skip
    return heatmap(
        name="confusion",
        title=_("Confusion matrix"),
        definition=definition,
        labels=labels,
        series=[
            Series(label, [count.get((true, predicted), 0) for predicted in drawn])
            for label, true in zip(labels, drawn, strict=True)
        ],
        label_name=_("predicted category"),
        unit=_("books"),
    )


def reliability_chart(versions: Sequence[ModelVersion]) -> Chart | None:
    """Return the reliability diagram: the share of correct predictions at each confidence level."""
    measured = [version for version in versions if version.metrics.get("reliability")]
    if not measured:
        return None
    bins = sorted({_edges(row) for version in measured for row in version.metrics["reliability"]})
    series = []
    for version in measured:
        rows = {_edges(row): row for row in version.metrics["reliability"]}
        accuracy = [_percent(rows[edges]["accuracy"]) if edges in rows else None for edges in bins]
        series.append(Series(_series_name(_("share correct"), version, measured), accuracy))
        if len(measured) == 1:
            confidence = [_percent(rows[edges]["confidence"]) if edges in rows else None for edges in bins]
            series.append(Series(_("confidence"), confidence, dashed=True))
    if len(measured) > 1:
        series.append(Series(_("confidence"), [_percent(sum(edges) / 2) for edges in bins], dashed=True))
    labels = [f"{low:.0%}–{high:.0%}" for low, high in bins]
    if len(measured) == 1:
        books = {_edges(row): row["books"] for row in measured[0].metrics["reliability"]}
        labels = [f"{label} ({books[edges]})" for label, edges in zip(labels, bins, strict=True)]
    return line_chart(
        name="reliability",
        title=_("Calibration"),
        definition=_(
            "Share of test books classified correctly at each confidence level. Ideally, it "
            "equals the confidence."
        ),
        labels=labels,
        series=series,
        label_name=_("confidence level (books)") if len(measured) == 1 else _("confidence level"),
        unit="%",
        decimals=1,
    )


def coverage_chart(versions: Sequence[ModelVersion]) -> Chart | None:
    """Return the accuracy of the most confident predictions, by the share of books that they cover."""
    measured = [version for version in versions if version.metrics.get("selective", {}).get("curve")]
    if not measured:
        return None
    curves = [_curve(version) for version in measured]
    shares = sorted({share for curve in curves for share in curve})
    return line_chart(
        name="coverage",
        title=_("Accuracy and coverage"),
        definition=_(
            "Accuracy when only the most confident suggestions are shown, by share of books covered."
        ),
        labels=[f"{share}%" for share in shares],
        series=[
            Series(
                _series_name(_("share correct"), version, measured),
                [_percent(curve[share]) if share in curve else None for share in shares],
            )
            for version, curve in zip(measured, curves, strict=True)
        ],
        label_name=_("books with a suggestion"),
        unit="%",
        decimals=1,
    )


def coverage_steps(version: ModelVersion) -> list[tuple[int, float]]:
    """Return the points of the coverage curve, (coverage, accuracy) in percent, largest coverage first."""
    return [
        (share, round(100 * accuracy, 1)) for share, accuracy in sorted(_curve(version).items(), reverse=True)
    ]


def precision_rows(version: ModelVersion) -> list[tuple[str, str, str, str]]:
    """Return for each target precision: the target, the threshold, the coverage and the precision reached."""
    rows = version.metrics.get("selective", {}).get("at_precision", {})
    return [
        (
            f"{float(target):.0%}",
            _three_decimals(row["threshold"]),
            f"{row['coverage']:.0%}",
            f"{row['precision']:.1%}",
        )
        if row["precision"] is not None
        else (f"{float(target):.0%}", "-", "-", "-")
        for target, row in rows.items()
    ]


def metric_rows(metrics: Mapping[str, Any]) -> list[tuple[Any, list[str]]]:
    """Return a name and the `METRICS` for the combined model, the baseline and each modality alone."""
    return [
        (classifier_name(name), [_three_decimals(values.get(metric)) for metric in METRICS])
        for name, values in metrics.items()
        if isinstance(values, dict) and "accuracy" in values
    ]


def classifier_name(name: str) -> Any:
    """Return the display name of the combined model, the baseline or a modality."""
    return {"fused": _("Combined"), "majority": _("Baseline (largest category)")}.get(
        name, evidence.modality(name)
    )


def _curve(version: ModelVersion) -> dict[int, float]:
    """Return the accuracy by coverage in percent."""
    curve = version.metrics.get("selective", {}).get("curve", [])
    return {round(100 * coverage): accuracy for coverage, accuracy in curve}


def _three_decimals(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _series_name(text: str, version: ModelVersion, versions: Sequence[ModelVersion]) -> str:
    return f"{text}: {version.name}" if len(versions) > 1 else text


def _edges(row: Mapping[str, float]) -> tuple[float, float]:
    return round(row["from"], 4), round(row["to"], 4)


def _percent(value: float) -> float:
    return round(100 * value, 2)
