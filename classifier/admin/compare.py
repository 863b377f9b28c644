"""Page that compares two model versions."""

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
from classifier.presentation.bar_charts import comparison_bars
from classifier.presentation.metrics import (
    METRICS,
    category_names,
    classifier_name,
    coverage_chart,
    reliability_chart,
)
from classifier.presentation.tables import flat_settings
from library.admin_site.widgets.charts import CHART_MEDIA
from library.admin_site.widgets.tiles import labelled

_MAX_CATEGORIES = 20
"""Categories whose metrics differ most."""


def _version_field(label: Any) -> forms.ModelChoiceField:
    return forms.ModelChoiceField(
        label=label,
        queryset=ModelVersion.objects.only("name"),
        required=False,
        widget=UnfoldAdminSelectWidget,
    )


class CompareForm(FilterForm):
    version = _version_field(gettext_lazy("version"))
    other = _version_field(gettext_lazy("Compare with"))


def compare_page(model_admin: admin.ModelAdmin, request: HttpRequest) -> HttpResponse:
    """Compare two versions; by default the newest one with the active one."""
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    form = CompareForm({**_default_versions(), **request.GET.dict()})
    selected = form.selected()
    versions = ModelVersion.objects.defer("profile").select_related("parent").in_bulk(selected.values())
    version, other = (versions.get(selected.get(name)) for name in ("version", "other"))
    context = {
        **model_admin.admin_site.each_context(request),
        "title": _("Compare versions"),
        "opts": model_admin.opts,
        "filters": form,
        "media": form.media + CHART_MEDIA,
        "version": version,
        "other": other,
    }
    if version and other:
        context |= {
            "metric_rows": _metric_rows(version, other),
            "category_rows": _category_rows(version, other),
            "settings": _different_settings(version, other),
            "charts": [
                chart
                for chart in (coverage_chart([version, other]), reliability_chart([version, other]))
                if chart
            ],
            # Available if one of the versions was trained while the other was active.
            "comparisons": [
                comparison_bars(child)
                for child, parent in ((version, other), (other, version))
                if child.comparison and child.parent_id == parent.pk
            ],
        }
    return render(request, "classifier/compare.html", context)


def _default_versions() -> dict[str, Any]:
    """Return the newest version and the active one; if none is active, the two newest."""
    keys = list(ModelVersion.objects.values_list("pk", flat=True)[:2])
    active = ModelVersion.objects.filter(state=ModelVersion.State.ACTIVE).values_list("pk", flat=True).first()
    if active is not None:
        keys = [*ModelVersion.objects.exclude(pk=active).values_list("pk", flat=True)[:1], active]
    return dict(zip(("version", "other"), keys, strict=False))


def _metric_rows(version: ModelVersion, other: ModelVersion) -> list[dict[str, Any]]:
    rows = []
    for name in dict.fromkeys([*version.metrics, *other.metrics]):
        values = [metrics.get(name) for metrics in (version.metrics, other.metrics)]
        if not any(isinstance(value, dict) and "accuracy" in value for value in values):
            continue
        for metric, label in METRICS.items():
            left, right = (value.get(metric) if isinstance(value, dict) else None for value in values)
            rows.append(
                {
                    "name": labelled(classifier_name(name), label),
                    "is_main": name == "fused",
                    **_difference(left, right),
                }
            )
    return rows


def _category_rows(version: ModelVersion, other: ModelVersion) -> list[dict[str, Any]]:
    left, right = (metrics.get("per_category", {}) for metrics in (version.metrics, other.metrics))
    rows = [
        {"key": key, **_difference(left[key]["f1"], right[key]["f1"])} for key in left.keys() & right.keys()
    ]
    rows.sort(key=lambda row: (-abs(row["difference"]), row["key"]))
    rows = rows[:_MAX_CATEGORIES]
    names = category_names([row["key"] for row in rows])
    return [row | {"name": names[row["key"]]} for row in rows]


def _different_settings(version: ModelVersion, other: ModelVersion) -> list[tuple[str, Any, Any]]:
    left, right = dict(flat_settings(version.config)), dict(flat_settings(other.config))
    return [
        (name, left.get(name, "-"), right.get(name, "-"))
        for name in dict.fromkeys([*left, *right])
        if left.get(name) != right.get(name)
    ]


def _difference(left: float | None, right: float | None) -> dict[str, Any]:
    difference = None if left is None or right is None else left - right
    return {
        "left": "-" if left is None else f"{left:.3f}",
        "right": "-" if right is None else f"{right:.3f}",
        "difference": difference,
        "change": "" if difference is None else f"{difference:+.3f}",
    }
