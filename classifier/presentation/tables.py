"""Results, metrics and settings as HTML tables of names and values."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from classifier.models import Change
from library.admin_site.widgets.tiles import labelled

#: Display names of the keys of results and metrics; other keys are shown as written.
NAMES: dict[str, str | Promise] = {
    "abstained": gettext_lazy("low-confidence books"),
    "accuracy": gettext_lazy("accuracy"),
    "active": gettext_lazy("now active"),
    "batch": gettext_lazy("batch"),
    "books": gettext_lazy("books"),
    "borrowers": gettext_lazy("borrowers"),
    "by_level": gettext_lazy("accuracy by category level"),
    "calibration_error": gettext_lazy("calibration error"),
    "calibration_noise": gettext_lazy("calibration error expected by chance"),
    "categories": gettext_lazy("categories"),
    "categorised": gettext_lazy("books with a category"),
    "changed": gettext_lazy("changed"),
    "classified_again": gettext_lazy("reclassified later"),
    "classes": gettext_lazy("categories the model can suggest"),
    "conflicting": gettext_lazy("Conflicting evidence"),
    "decided": gettext_lazy("manually filed later"),
    "held_out": gettext_lazy("test books"),
    "high_demand": gettext_lazy("High demand"),
    "linked_titles": gettext_lazy("titles compared"),
    "low_confidence": gettext_lazy("Low confidence"),
    "macro_f1": gettext_lazy("macro-F1"),
    "metrics": gettext_lazy("metrics"),
    "misfiled": gettext_lazy("possible misfiles"),
    "new": gettext_lazy("new"),
    "notes": gettext_lazy("notes"),
    "output": gettext_lazy("output file"),
    "precision": gettext_lazy("target precision"),
    "reason": gettext_lazy("reason"),
    "recommendations": gettext_lazy("recommendations"),
    "rows": gettext_lazy("rows written"),
    "seed": gettext_lazy("random seed"),
    "settings": gettext_lazy("settings"),
    "suggestions": gettext_lazy("suggestions"),
    "threshold": gettext_lazy("confidence threshold"),
    "top3": gettext_lazy("top-3 accuracy"),
    "unfamiliar": gettext_lazy("Unfamiliar books"),
    "updated_lists": gettext_lazy("lists updated"),
    "version": gettext_lazy("version"),
    # "new" is also a key of other results.
    **{kind.value: kind.label for kind in Change.Kind if kind != Change.Kind.NEW},
}


def results_table(values: Mapping[str, Any]) -> SafeString:
    """Return results as a table; the name of a nested value starts with the names above it."""
    return _table(_named(values))


def settings_table(values: Mapping[str, Any]) -> SafeString:
    """Return settings as a table, by the names that ``--set`` and the API accept."""
    return _table(
        (format_html("<code>{}</code>", name), _value_text(value)) for name, value in flat_settings(values)
    )


def flat_settings(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield nested settings by their dotted names."""
    for name, value in values.items():
        if isinstance(value, dict):
            yield from flat_settings(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _table(rows: Iterator[tuple[Any, Any]]) -> SafeString:
    lines = format_html_join("", '<tr><th scope="row">{}</th><td>{}</td></tr>', rows)
    return format_html('<table class="facts">{}</table>', lines) if lines else SafeString("-")


def _named(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in values.items():
        name = str(NAMES.get(key, key.replace("_", " ")))
        if isinstance(value, dict):
            yield from ((labelled(name, inner), text) for inner, text in _named(value))
        else:
            yield name, _value_text(value)


def _value_text(value: Any) -> Any:
    if value is None or value in ("", []):
        return "-"
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list):
        return ", ".join(str(_value_text(item)) for item in value)
    if isinstance(value, float):
        # Four significant digits: a learning rate can be very small.
        return number_format(f"{value:.4g}" if abs(value) < 10_000 else round(value), force_grouping=True)
    return number_format(value, force_grouping=True) if isinstance(value, int) else value
