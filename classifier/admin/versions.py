"""Model versions: their metrics and comparison, and buttons that promote, roll back and pin."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.db.models import F, QuerySet
from django.forms import Media
from django.forms.widgets import Script
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from classifier.admin.base import PermanentAdmin, post_button
from classifier.admin.batches import changes_url
from classifier.admin.collection_map import map_page
from classifier.admin.compare import compare_page
from classifier.dispatch import request_run
from classifier.models import Batch, ModelVersion, Run
from classifier.presentation import metrics
from classifier.presentation.bar_charts import comparison_bars
from classifier.presentation.flow_diagram import flow_diagram
from classifier.presentation.tables import results_table, settings_table
from classifier.services.registry.promotion import pin, promote, rollback
from library.admin_site.users import signed_in
from library.admin_site.widgets.charts import CHART_MEDIA

CHANGE_VERSION = "classifier.change_modelversion"


@admin.register(ModelVersion)
class ModelVersionAdmin(PermanentAdmin):
    list_display = [
        "name", "created_at", "state_label", "accuracy", "macro_f1", "coverage", "quality_check", "files",
        "buttons",
    ]  # fmt: skip
    list_display_links = ["name"]
    list_filter = ["state", "pinned"]
    date_hierarchy = "created_at"
    search_fields = ["name"]
    list_before_template = "classifier/version_links.html"
    fields = [
        "name", "state", "created_at", "buttons", "charts", "comparison_bars", "reasons_list", "proposal",
        "parent", "previous", "activated_at", "trained_by", "files", "fingerprint", "seed", "metrics_table",
        "config_table",
    ]  # fmt: skip
    readonly_fields = [
        "buttons", "charts", "comparison_bars", "reasons_list", "proposal", "files", "metrics_table",
        "config_table",
    ]  # fmt: skip
    column_permissions = {"buttons": CHANGE_VERSION}

    @property
    def media(self) -> Media:
        own = Media(
            css={"all": ["admin_site/model_versions.css"]},
            js=[Script("admin_site/precision_slider.js", defer=True)],  # type: ignore[list-item]
        )
        return super().media + CHART_MEDIA + own

    def get_urls(self) -> list[Any]:
        def page_path(name: str, page: Callable[..., HttpResponse]) -> Any:
            view = self.admin_site.admin_view(partial(page, self))
            return path(f"{name}/", view, name=f"classifier_modelversion_{name}")

        return [
            self.post_path("promote", self.promote_view),
            self.post_path("pin", self.pin_view),
            self.post_path("rollback", self.rollback_view, detail=False),
            page_path("compare", compare_page),
            page_path("map", map_page),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ModelVersion]:
        columns = {name: F(f"metrics__fused__{name}") for name in ("accuracy", "macro_f1")}
        columns["coverage"] = F(
            f"metrics__selective__at_precision__{settings.SUGGESTION_PRECISION:.2f}__coverage"
        )
        rows = super().get_queryset(request).annotate(**columns)
        return rows.defer("metrics", "config", "profile", "comparison")

    def promote_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        def promote_version() -> str:
            version = promote(version=get_object_or_404(ModelVersion, pk=pk), now=timezone.now())
            self.log_change(request, version, "Promoted.")
            return f"{_('%s is now active.') % version} {self._request_reclassification(request)}"

        return self._perform(request, promote_version)

    def rollback_view(self, request: HttpRequest) -> HttpResponse:
        def roll_back() -> str:
            version = rollback(now=timezone.now())
            self.log_change(request, version, "Rolled back to.")
            return (
                f"{_('Rolled back: %s is now active.') % version} {self._request_reclassification(request)}"
            )

        return self._perform(request, roll_back)

    def pin_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        def toggle_pin() -> str:
            version = get_object_or_404(ModelVersion, pk=pk)
            version = pin(version=version, pinned=not version.pinned)
            self.log_change(request, version, "Pinned." if version.pinned else "Unpinned.")
            if version.pinned:
                return _("%s is pinned. Its files will not be deleted.") % version
            return _("%s is unpinned. Its files may be deleted automatically.") % version

        return self._perform(request, toggle_pin)

    def _perform(self, request: HttpRequest, action: Callable[[], str]) -> HttpResponse:
        list_url = reverse("admin:classifier_modelversion_changelist")
        return self.perform(request, action, permission=CHANGE_VERSION, redirect_to=list_url)

    def _request_reclassification(self, request: HttpRequest) -> str:
        requested = request_run(
            kind=Run.Kind.RECLASSIFY,
            trigger=Run.Trigger.MANUAL,
            now=timezone.now(),
            user=signed_in(request.user),
        )
        return _("Its suggestions are being computed (job %s).") % requested.run.pk

    @display(
        description=gettext_lazy("state"),
        ordering="state",
        # For a state that is missing here, the theme would show the stored value instead of its label.
        label={"active": "success", "candidate": "info", "retired": None},
    )
    def state_label(self, version: ModelVersion) -> tuple[str, str]:
        return version.state, version.get_state_display()

    @display(description=gettext_lazy("accuracy"), ordering="accuracy", empty_value="-")
    def accuracy(self, version: ModelVersion) -> str | None:
        return _three_decimals(version, "accuracy")

    @display(description=gettext_lazy("macro-F1"), ordering="macro_f1", empty_value="-")
    def macro_f1(self, version: ModelVersion) -> str | None:
        return _three_decimals(version, "macro_f1")

    @display(description=gettext_lazy("coverage"), ordering="coverage", empty_value="-")
    def coverage(self, version: ModelVersion) -> str | None:
        share = getattr(version, "coverage", None)
        return None if share is None else f"{share:.0%}"

    @display(
        description=gettext_lazy("quality check"), empty_value="-", label={"yes": "success", "no": "warning"}
    )
    def quality_check(self, version: ModelVersion) -> tuple[str, str] | None:
        if not version.verdict:
            return None
        return ("yes", _("passed")) if version.verdict["passed"] else ("no", _("not passed"))

    @display(description=gettext_lazy("files"))
    def files(self, version: ModelVersion) -> str:
        if version.pruned_at:
            return _("deleted")
        return _("pinned") if version.pinned else _("stored")

    @display(description=gettext_lazy("charts"))
    def charts(self, version: ModelVersion) -> SafeString | str:
        rows = metrics.metric_rows(version.metrics)
        if not rows:
            return "-"
        context = {
            "metrics": metrics.METRICS.values(),
            "metric_rows": rows,
            "charts": metrics.charts(version),
            "coverage_steps": metrics.coverage_steps(version),
            "precision_rows": metrics.precision_rows(version),
            "target": round(100 * settings.SUGGESTION_PRECISION),
        }
        return render_to_string("classifier/metrics.html", context)

    @display(description=gettext_lazy("compared with the active version"))
    def comparison_bars(self, version: ModelVersion) -> SafeString | str:
        return comparison_bars(version)

    @display(description=gettext_lazy("quality check"))
    def reasons_list(self, version: ModelVersion) -> SafeString:
        items = format_html_join("", "<li>{}</li>", ((reason,) for reason in version.reasons))
        return format_html('<ul class="reasons">{}</ul>', items) if items else SafeString("-")

    @display(description=gettext_lazy("changes if promoted"))
    def proposal(self, version: ModelVersion) -> SafeString | str:
        batch = version.batches.filter(state=Batch.State.PROPOSED, complete=True).first()
        if batch is None:
            return "-"
        text = _("%(changed)s of %(books)s books would get a different first suggestion") % {
            "changed": sum(batch.changed.values()), "books": batch.books,
        }  # fmt: skip
        return format_html('{} <a href="{}">{}</a>', flow_diagram(batch), changes_url(batch.pk), text)

    @display(description=gettext_lazy("metrics"))
    def metrics_table(self, version: ModelVersion) -> SafeString:
        return results_table({name: value for name, value in version.metrics.items() if _is_scalar(value)})

    @display(description=gettext_lazy("configuration"))
    def config_table(self, version: ModelVersion) -> SafeString:
        return settings_table(version.config)

    @display(description="")
    def buttons(self, version: ModelVersion) -> SafeString | str:
        if version.pruned_at:
            return ""
        buttons = []
        if not version.active:
            url = reverse("admin:classifier_modelversion_promote", args=[version.pk])
            buttons.append(post_button(url, _("Promote")))
        elif version.previous_id:
            buttons.append(post_button(reverse("admin:classifier_modelversion_rollback"), _("Roll back")))
        label = _("Unpin") if version.pinned else _("Pin")
        buttons.append(post_button(reverse("admin:classifier_modelversion_pin", args=[version.pk]), label))
        return format_html_join(" ", "{}", ((button,) for button in buttons))


def _three_decimals(version: ModelVersion, name: str) -> str | None:
    value = getattr(version, name)
    return None if value is None else f"{value:.3f}"


def _is_scalar(value: Any) -> bool:
    """Return whether the table shows a metric; charts show the nested ones."""
    if isinstance(value, dict):
        return False
    return not isinstance(value, list) or not any(isinstance(item, list | dict) for item in value)
