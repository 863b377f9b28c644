"""Two versions side by side."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget

from classifier.admin.filtering import FilterForm
from classifier.models import ModelVersion
from classifier.presentation import figures, pictures
from library.admin_site.widgets.charts import CHART_MEDIA
from library.admin_site.widgets.tiles import labelled

_SHOWN = 20
"""Categories whose figures differ most: the others are alike."""


def _field(label: Any) -> forms.ModelChoiceField:
    return forms.ModelChoiceField(
        label=label,
        queryset=ModelVersion.objects.only("name"),
        required=False,
        widget=UnfoldAdminSelectWidget,
    )


class CompareForm(FilterForm):
    one = _field(gettext_lazy("version"))
    other = _field(gettext_lazy("beside"))


def compare_page(model_admin: admin.ModelAdmin, request: HttpRequest) -> HttpResponse:
    """Show two versions side by side: the active one and the newest of the others, unless told which."""
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    form = CompareForm({**_usual(), **request.GET.dict()})
    chosen = form.chosen()
    found = ModelVersion.objects.defer("profile").select_related("parent").in_bulk(chosen.values())
    one, other = (found.get(chosen.get(name)) for name in ("one", "other"))
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Compare versions"),
        "opts": model_admin.opts,
        "filters": form,
        "media": form.media + CHART_MEDIA,
        "one": one,
        "other": other,
    }
    if one and other:
        context |= {
            "rows": _rows(one, other),
            "categories": _categories(one, other),
            "settings": _settings(one, other),
            "charts": [
                chart
                for chart in (figures.coverage_chart([one, other]), figures.reliability_chart([one, other]))
                if chart
            ],
            # What both answered for the same books, where one was trained beside the other.
            "same_books": [
                pictures.comparison(each)
                for each, parent in ((one, other), (other, one))
                if each.comparison and each.parent_id == parent.pk
            ],
        }
    return render(request, "classifier/compare.html", context)


def _usual() -> dict[str, Any]:
    """Return the newest version beside the active one; where none is active, beside the one before it."""
    keys = list(ModelVersion.objects.values_list("pk", flat=True)[:2])
    active = ModelVersion.objects.filter(state=ModelVersion.State.ACTIVE).values_list("pk", flat=True).first()
    if active is not None:
        keys = [*ModelVersion.objects.exclude(pk=active).values_list("pk", flat=True)[:1], active]
    return dict(zip(("one", "other"), keys, strict=False))


def _rows(one: ModelVersion, other: ModelVersion) -> list[dict[str, Any]]:
    rows = []
    for name in dict.fromkeys([*one.metrics, *other.metrics]):
        values = [each.metrics.get(name) for each in (one, other)]
        if not any(isinstance(value, dict) and "accuracy" in value for value in values):
            continue
        for figure, words in figures.FIGURES.items():
            left, right = (value.get(figure) if isinstance(value, dict) else None for value in values)
            rows.append(
                {
                    "name": labelled(figures.evidence_name(name), words),
                    "is_main": name == "fused",
                    **_beside(left, right),
                }
            )
    return rows


def _categories(one: ModelVersion, other: ModelVersion) -> list[dict[str, Any]]:
    tables = [each.metrics.get("per_category", {}) for each in (one, other)]
    found = [
        {"key": key, **_beside(tables[0][key]["f1"], tables[1][key]["f1"])}
        for key in tables[0].keys() & tables[1].keys()
    ]
    found.sort(key=lambda row: (-abs(row["difference"]), row["key"]))
    names = figures.category_names([row["key"] for row in found[:_SHOWN]])
    return [row | {"name": names[row["key"]]} for row in found[:_SHOWN]]


def _settings(one: ModelVersion, other: ModelVersion) -> list[tuple[str, Any, Any]]:
    """Return the settings in which they differ."""
    left, right = dict(_flat(one.config)), dict(_flat(other.config))
    return [
        (name, left.get(name, "-"), right.get(name, "-"))
        for name in dict.fromkeys([*left, *right])
        if left.get(name) != right.get(name)
    ]


def _flat(values: dict[str, Any], above: str = "") -> Any:
    for name, value in values.items():
        if isinstance(value, dict):
            yield from _flat(value, f"{above}{name}.")
        else:
            yield f"{above}{name}", value


def _beside(left: float | None, right: float | None) -> dict[str, Any]:
    difference = None if left is None or right is None else left - right
    return {
        "left": "-" if left is None else f"{left:.3f}",
        "right": "-" if right is None else f"{right:.3f}",
        "difference": difference,
        "change": "" if difference is None else f"{difference:+.3f}",
    }
