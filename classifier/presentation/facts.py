"""What a run or a version says of itself, as a table of names and values."""

from collections.abc import Iterator, Mapping
from typing import Any

from django.utils.formats import number_format
from django.utils.functional import Promise
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from library.admin_site.widgets.tiles import labelled

#: What results and metrics are called; what is not named here is shown as it is written.
NAMES: dict[str, str | Promise] = {
    "abstained": gettext_lazy("books without a suggestion"),
    "accuracy": gettext_lazy("accuracy"),
    "active": gettext_lazy("classifies now"),
    "batch": gettext_lazy("reclassification"),
    "books": gettext_lazy("books"),
    "borrowed": gettext_lazy("much borrowed"),
    "borrowers": gettext_lazy("borrowers"),
    "by_level": gettext_lazy("right answers by level of the tree"),
    "calibration_error": gettext_lazy("calibration error"),
    "calibration_noise": gettext_lazy("calibration error by chance"),
    "categories": gettext_lazy("categories"),
    "categorised": gettext_lazy("books with a category"),
    "changed": gettext_lazy("changed"),
    "classes": gettext_lazy("categories it can suggest"),
    "disagree": gettext_lazy("text, cover and loans disagree"),
    "held_out": gettext_lazy("held-out books"),
    "linked_titles": gettext_lazy("titles compared"),
    "macro_f1": gettext_lazy("macro-F1"),
    "made_anew": gettext_lazy("lists made anew"),
    "metrics": gettext_lazy("metrics"),
    "misfiled": gettext_lazy("possibly misfiled"),
    "new": gettext_lazy("new"),
    "notes": gettext_lazy("notes"),
    "output": gettext_lazy("file written"),
    "precision": gettext_lazy("right answers wanted"),
    "reason": gettext_lazy("reason"),
    "recommendations": gettext_lazy("recommendations"),
    "rows": gettext_lazy("rows written"),
    "seed": gettext_lazy("random seed"),
    "settings": gettext_lazy("settings"),
    "suggestions": gettext_lazy("suggestions"),
    "threshold": gettext_lazy("least probability"),
    "top3": gettext_lazy("right among the first three"),
    "unlike": gettext_lazy("unlike all known books"),
    "unsure": gettext_lazy("unsure"),
    "version": gettext_lazy("version"),
}


def as_facts(values: Mapping[str, Any]) -> SafeString:
    """Return results as a table of two columns, the inner ones named by their way there."""
    return _table(_named(values))


def as_settings(values: Mapping[str, Any]) -> SafeString:
    """Return settings as a table, by the names that ``--set`` and the API know them by."""
    return _table((format_html("<code>{}</code>", name), _shown(value)) for name, value in _dotted(values))


def _table(rows: Iterator[tuple[Any, Any]]) -> SafeString:
    lines = format_html_join("", '<tr><th scope="row">{}</th><td>{}</td></tr>', rows)
    return format_html('<table class="facts">{}</table>', lines) if lines else SafeString("-")


def _named(values: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        words = str(NAMES.get(name, name.replace("_", " ")))
        if isinstance(value, dict):
            yield from ((labelled(words, inner), shown) for inner, shown in _named(value))
        else:
            yield words, _shown(value)


def _dotted(values: Mapping[str, Any], above: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _dotted(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _shown(value: Any) -> Any:
    if value is None or value in ("", []):
        return "-"
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list):
        return ", ".join(str(_shown(each)) for each in value)
    if isinstance(value, float):
        # Four digits that count: a learning rate is as small as a probability is not.
        return number_format(f"{value:.4g}" if abs(value) < 10_000 else round(value), force_grouping=True)
    return number_format(value, force_grouping=True) if isinstance(value, int) else value
