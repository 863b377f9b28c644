"""Versions of the model: how they compare, and the buttons that promote, roll back and pin."""

from collections.abc import Callable
from functools import partial
from typing import Any

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import F, QuerySet
from django.forms import Media
from django.forms.widgets import Script
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404
from django.template.loader import render_to_string
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST
from unfold.decorators import display

from classifier.admin.batches import page_of
from classifier.admin.compare import compare_page
from classifier.admin.map import map_page
from classifier.admin.suggestions import ReadOnlyAdmin
from classifier.dispatch import ask
from classifier.models import ModelVersion, Reclassification, Run
from classifier.presentation import figures, flow_diagram, pictures
from classifier.presentation.facts import as_facts, as_settings
from classifier.services.registry.promotion import pin, promote, rollback
from library.admin_site.users import signed_in
from library.admin_site.widgets.charts import CHART_MEDIA
from library.errors import LibraryError


@admin.register(ModelVersion)
class ModelVersionAdmin(ReadOnlyAdmin):
    list_display = [
        "name", "created_at", "shown_state", "accuracy", "macro_f1", "coverage", "gate", "kept", "buttons"
    ]  # fmt: skip
    list_display_links = ["name"]
    list_filter = ["state", "pinned"]
    date_hierarchy = "created_at"
    search_fields = ["name"]
    list_before_template = "classifier/version_links.html"
    fields = [
        "name", "state", "created_at", "buttons", "charts", "picture", "reasons", "proposal", "parent",
        "previous",
        "activated_at", "trained_by", "kept", "fingerprint", "seed", "metrics_table", "config_table",
    ]  # fmt: skip
    readonly_fields = [
        "buttons", "charts", "picture", "reasons", "proposal", "kept", "metrics_table", "config_table"
    ]  # fmt: skip

    @property
    def media(self) -> Media:
        own = Media(
            css={"all": ["admin_site/models.css"]},
            js=[Script("admin_site/abstain.js", defer=True)],  # type: ignore[list-item]
        )
        return super().media + CHART_MEDIA + own

    def get_urls(self) -> list[Any]:
        def button(view: Callable[..., HttpResponse]) -> Any:
            return self.admin_site.admin_view(require_POST(view))

        return [
            path("<int:pk>/promote/", button(self.promote_view), name="classifier_modelversion_promote"),
            path("<int:pk>/pin/", button(self.pin_view), name="classifier_modelversion_pin"),
            path(
                "compare/",
                self.admin_site.admin_view(partial(compare_page, self)),
                name="classifier_modelversion_compare",
            ),
            path(
                "map/",
                self.admin_site.admin_view(partial(map_page, self)),
                name="classifier_modelversion_map",
            ),
            path("rollback/", button(self.rollback_view), name="classifier_modelversion_rollback"),
            *super().get_urls(),
        ]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def may_decide(self, request: HttpRequest) -> bool:
        """Nothing else of a version can be changed; the forms stay read-only."""
        return request.user.has_perm("classifier.change_modelversion")

    def get_queryset(self, request: HttpRequest) -> QuerySet[ModelVersion]:
        read = {name: F(f"metrics__fused__{name}") for name in ("accuracy", "macro_f1")}
        read["coverage"] = F(
            f"metrics__selective__at_precision__{settings.SUGGESTION_PRECISION:.2f}__coverage"
        )
        found = super().get_queryset(request).annotate(**read)
        return found.defer("metrics", "config", "profile", "comparison")

    def get_list_display(self, request: HttpRequest) -> list[str]:
        columns = super().get_list_display(request)
        return [name for name in columns if name != "buttons" or self.may_decide(request)]

    def get_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [name for name in self.fields or [] if name != "buttons" or self.may_decide(request)]

    def promote_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        version = get_object_or_404(ModelVersion, pk=pk)
        return self._decide(
            request,
            lambda: promote(version=version, now=timezone.now()),
            _("%s classifies from now on."),
            "Promoted.",
            then=self._classify_anew,
        )

    def rollback_view(self, request: HttpRequest) -> HttpResponse:
        return self._decide(
            request,
            lambda: rollback(now=timezone.now()),
            _("Rolled back: %s classifies from now on."),
            "Rolled back to.",
            then=self._classify_anew,
        )

    def pin_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        version = get_object_or_404(ModelVersion, pk=pk)
        if version.pinned:
            return self._decide(
                request,
                lambda: pin(version=version, pinned=False),
                _("%s is left to the rule again."),
                "Unpinned.",
            )
        return self._decide(
            request, lambda: pin(version=version, pinned=True), _("%s is kept for ever."), "Pinned."
        )

    def _classify_anew(self, request: HttpRequest) -> None:
        asked = ask(
            kind=Run.Kind.RECLASSIFY,
            trigger=Run.Trigger.MANUAL,
            now=timezone.now(),
            user=signed_in(request.user),
        )
        self.message_user(request, _("Its suggestions come with a run: %s") % asked.sentence)

    def _decide(
        self,
        request: HttpRequest,
        work: Callable[[], ModelVersion],
        done: str,
        history: str,
        then: Callable[[HttpRequest], None] = lambda request: None,
    ) -> HttpResponse:
        if not (self.has_view_permission(request) and self.may_decide(request)):
            raise PermissionDenied
        try:
            version = work()
        except LibraryError as error:
            self.message_user(request, error.message, messages.ERROR)
        else:
            self.log_change(request, version, history)
            self.message_user(request, done % version, messages.SUCCESS)
            then(request)
        return HttpResponseRedirect(reverse("admin:classifier_modelversion_changelist"))

    @display(
        description=gettext_lazy("state"),
        ordering="state",
        # Each has to be named: of another, the theme would show the word that the database has.
        label={"active": "success", "candidate": "info", "retired": None},
    )
    def shown_state(self, version: ModelVersion) -> tuple[str, str]:
        return version.state, version.get_state_display()

    @display(description=gettext_lazy("accuracy"), ordering="accuracy", empty_value="-")
    def accuracy(self, version: ModelVersion) -> str | None:
        return _three(version, "accuracy")

    @display(description=gettext_lazy("macro-F1"), ordering="macro_f1", empty_value="-")
    def macro_f1(self, version: ModelVersion) -> str | None:
        return _three(version, "macro_f1")

    @display(description=gettext_lazy("coverage"), ordering="coverage", empty_value="-")
    def coverage(self, version: ModelVersion) -> str | None:
        share = getattr(version, "coverage", None)
        return None if share is None else f"{share:.0%}"

    @display(description=gettext_lazy("gate"), empty_value="-", label={"yes": "success", "no": "warning"})
    def gate(self, version: ModelVersion) -> tuple[str, str] | None:
        if not version.verdict:
            return None
        return ("yes", _("passed")) if version.verdict["passed"] else ("no", _("not passed"))

    @display(description=gettext_lazy("files"))
    def kept(self, version: ModelVersion) -> str:
        if version.pruned_at:
            return _("deleted")
        return _("pinned") if version.pinned else _("kept")

    @display(description=gettext_lazy("figures"))
    def charts(self, version: ModelVersion) -> SafeString | str:
        rows = figures.by_evidence(version.metrics)
        if not rows:
            return "-"
        context = {
            "figures": figures.FIGURES.values(),
            "by_evidence": rows,
            "charts": figures.charts(version),
            "steps": figures.steps(version),
            "at_precision": figures.at_precision(version),
            "wanted": round(100 * settings.SUGGESTION_PRECISION),
        }
        return render_to_string("classifier/figures.html", context)

    @display(description=gettext_lazy("compared with the active version"))
    def picture(self, version: ModelVersion) -> SafeString | str:
        return pictures.comparison(version)

    @display(description=gettext_lazy("what the gate says"))
    def reasons(self, version: ModelVersion) -> SafeString:
        lines = format_html_join("", "<li>{}</li>", ((reason,) for reason in version.reasons))
        return format_html('<ul class="reasons">{}</ul>', lines) if lines else SafeString("-")

    @display(description=gettext_lazy("what would change"))
    def proposal(self, version: ModelVersion) -> SafeString | str:
        proposed = version.reclassifications.filter(state=Reclassification.State.PROPOSED, complete=True)
        batch = proposed.first()
        if batch is None:
            return "-"
        words = _("%(changed)s of %(books)s books would have another first suggestion") % {
            "changed": sum(batch.changed.values()), "books": batch.books,
        }  # fmt: skip
        return format_html('{} <a href="{}">{}</a>', flow_diagram.as_svg(batch), page_of(batch.pk), words)

    @display(description=gettext_lazy("metrics"))
    def metrics_table(self, version: ModelVersion) -> SafeString:
        return as_facts({name: value for name, value in version.metrics.items() if _is_read(value)})

    @display(description=gettext_lazy("configuration"))
    def config_table(self, version: ModelVersion) -> SafeString:
        return as_settings(version.config)

    @display(description="")
    def buttons(self, version: ModelVersion) -> SafeString | str:
        if version.pruned_at:
            return ""
        shown = []
        if not version.active:
            url = reverse("admin:classifier_modelversion_promote", args=[version.pk])
            shown.append((url, _("Promote")))
        elif version.previous_id:
            shown.append((reverse("admin:classifier_modelversion_rollback"), _("Roll back")))
        words = _("Unpin") if version.pinned else _("Pin")
        shown.append((reverse("admin:classifier_modelversion_pin", args=[version.pk]), words))
        # The page's form is a POST with a CSRF token already; the button only sends it elsewhere.
        line = '<button type="submit" class="row-button" formaction="{}" formnovalidate>{}</button>'
        return format_html_join(" ", line, shown)


def _three(version: ModelVersion, name: str) -> str | None:
    value = getattr(version, name)
    return None if value is None else f"{value:.3f}"


def _is_read(value: Any) -> bool:
    """Leave out what the charts show, and the table for each category."""
    if isinstance(value, dict):
        return False
    return not isinstance(value, list) or not any(isinstance(each, list | dict) for each in value)
