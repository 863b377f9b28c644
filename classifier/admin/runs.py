"""What runs, what came of it, and the buttons that start and cancel."""

from datetime import timedelta
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import get_object_or_404
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timesince import timeuntil
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST
from unfold.decorators import display

from classifier import dispatch
from classifier.admin.suggestions import ReadOnlyAdmin
from classifier.models import Run
from classifier.presentation.facts import as_facts, as_settings
from classifier.services.runs.lifecycle import request_cancel
from library.admin_site.users import signed_in
from library.errors import LibraryError

MOST_ASKED = 50
"""Runs whose progress a page asks for: as many as it lists."""
#: Who keeps the schedules runs the installation, and is told where in the code it went wrong.
OPERATOR = "django_celery_beat.change_periodictask"


class AskForm(forms.ModelForm):
    class Meta:
        model = Run
        fields = ["kind", "forced"]


@admin.register(Run)
class RunAdmin(ReadOnlyAdmin):
    form = AskForm
    list_display = [
        "name", "state", "how_far", "phase_label", "time_left", "told", "trigger", "asked_by", "asked_at",
        "cancel_button",
    ]  # fmt: skip
    list_display_links = ["name"]
    list_select_related = ["asked_by"]
    list_filter = ["kind", "status", "trigger"]
    list_before_template = "classifier/start_runs.html"
    change_form_before_template = "classifier/run_progress.html"

    def get_urls(self) -> list[Any]:
        cancel = self.admin_site.admin_view(require_POST(self.cancel_view))
        return [
            path("<int:pk>/cancel/", cancel, name="classifier_run_cancel"),
            path("progress/", self.admin_site.admin_view(self.progress_view), name="classifier_run_progress"),
            *super().get_urls(),
        ]

    def formfield_for_choice_field(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "kind":
            # Undoing needs a batch, whose page asks for it.
            kwargs["choices"] = [(kind.value, kind.label) for kind in Run.Kind if kind != Run.Kind.UNDO]
        return super().formfield_for_choice_field(db_field, request, **kwargs)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("classifier.add_run")

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def may_cancel(self, request: HttpRequest) -> bool:
        """Nothing else of a run can be changed; the forms stay read-only."""
        return request.user.has_perm("classifier.change_run")

    def get_list_display(self, request: HttpRequest) -> list[str]:
        columns = super().get_list_display(request)
        return [name for name in columns if name != "cancel_button" or self.may_cancel(request)]

    def get_fields(self, request: HttpRequest, obj: Run | None = None) -> list[str]:
        if obj is None:
            return ["kind", "forced"]
        fields = [
            "kind", "status", "how_far", "phase_label", "time_left", "told", "trigger", "asked_by",
            "asked_at", "started_at", "finished_at", "attempt", "forced", "parameters_table", "results_table",
        ]  # fmt: skip
        if obj.traceback and request.user.has_perm(OPERATOR):
            fields.append("where_in_the_code")
        if obj.status in Run.ACTIVE and self.may_cancel(request):
            fields.append("cancel_button")
        return fields

    def get_readonly_fields(self, request: HttpRequest, obj: Run | None = None) -> list[str]:
        return [] if obj is None else self.get_fields(request, obj)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Run]:
        return super().get_queryset(request).defer("timeline", "traceback")

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        starters = [
            (Run.Kind.TRAIN.value, _("Train now")),
            (Run.Kind.RECLASSIFY.value, _("Reclassify now")),
            (Run.Kind.RECOMMEND.value, _("Recommend now")),
            (Run.Kind.ORDER_REVIEWS.value, _("Order reviews now")),
            (Run.Kind.DRAW_MAP.value, _("Draw the map now")),
        ]
        may_start = self.has_add_permission(request)
        extra = {
            **(extra_context or {}),
            "starters": starters if may_start else [],
            "goes_on": Run.objects.filter(status__in=Run.ACTIVE).exists(),
        }
        return super().changelist_view(request, extra)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        active = Run.objects.filter(status__in=Run.ACTIVE)
        goes_on = object_id.isdecimal() and active.filter(pk=object_id).exists()
        return super().change_view(
            request, object_id, form_url, {**(extra_context or {}), "goes_on": goes_on}
        )

    def progress_view(self, request: HttpRequest) -> JsonResponse:
        """Answer how far runs are, in the words of the page."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        keys = [key for key in request.GET.getlist("run") if key.isascii() and key.isdecimal()]
        rows = [
            {
                "run": run.pk,
                "goes_on": run.status in Run.ACTIVE,
                "how_far": round(run.progress, 3),
                "percent": f"{run.progress:.0%}",
                "phase": run.phase_label or "-",
                "time_left": _time_left(run) or "-",
            }
            for run in self.get_queryset(request).filter(pk__in=keys[:MOST_ASKED])
        ]
        answer = JsonResponse({"runs": rows})
        answer["Cache-Control"] = "no-store"
        return answer

    def save_model(self, request: HttpRequest, obj: Run, form: Any, change: bool) -> None:
        asked = dispatch.ask(
            kind=obj.kind,
            trigger=Run.Trigger.MANUAL,
            now=timezone.now(),
            user=signed_in(request.user),
            force=obj.forced,
        )
        # The page goes on with this object: it becomes the run that was opened, or found.
        obj.__dict__.update(asked.run.__dict__)
        self.message_user(request, asked.sentence, messages.SUCCESS if asked.is_new else messages.WARNING)

    def response_add(self, request: HttpRequest, obj: Run, post_url_continue: Any = None) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:classifier_run_changelist"))

    def cancel_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not (self.has_view_permission(request) and self.may_cancel(request)):
            raise PermissionDenied
        run = get_object_or_404(Run, pk=pk)
        try:
            run = request_cancel(run=run, now=timezone.now())
        except LibraryError as error:
            self.message_user(request, error.message, messages.ERROR)
        else:
            self.log_change(request, run, "Cancelled.")
            self.message_user(request, _("%s is being cancelled.") % run, messages.SUCCESS)
        return HttpResponseRedirect(reverse("admin:classifier_run_changelist"))

    @display(description=gettext_lazy("run"), ordering="pk")
    def name(self, run: Run) -> str:
        return str(run)

    @display(
        description=gettext_lazy("status"),
        ordering="status",
        # Each has to be named: of another, the theme would show the word that the database has.
        label={
            "queued": None, "running": "info", "succeeded": "success", "failed": "warning",
            "errored": "danger", "cancelled": None,
        },
    )  # fmt: skip
    def state(self, run: Run) -> tuple[str, str]:
        if run.status == Run.Status.RUNNING and run.cancel_requested:
            return run.status, _("being cancelled")
        return run.status, run.get_status_display()

    @display(description=gettext_lazy("progress"))
    def how_far(self, run: Run) -> SafeString:
        bar = '<progress value="{}" max="1" aria-label="{}"{}></progress> {}'
        goes_on = format_html(' data-run="{}"', run.pk) if run.status in Run.ACTIVE else ""
        percent = _live(run, "percent", f"{run.progress:.0%}")
        return format_html(bar, round(run.progress, 3), _("progress"), goes_on, percent)

    @display(description=gettext_lazy("phase"), empty_value="-")
    def phase_label(self, run: Run) -> SafeString | str | None:
        return _live(run, "phase", run.phase_label)

    @display(description=gettext_lazy("time left"), empty_value="-")
    def time_left(self, run: Run) -> SafeString | str | None:
        return _live(run, "time_left", _time_left(run))

    @display(description=gettext_lazy("outcome"), empty_value="-")
    def told(self, run: Run) -> str | None:
        return run.outcome or None

    @display(description=gettext_lazy("parameters"))
    def parameters_table(self, run: Run) -> SafeString:
        return as_settings(run.parameters)

    @display(description=gettext_lazy("result"))
    def results_table(self, run: Run) -> SafeString:
        return as_facts(run.result)

    @display(description=gettext_lazy("traceback"))
    def where_in_the_code(self, run: Run) -> SafeString:
        return format_html("<pre>{}</pre>", run.traceback)

    @display(description="")
    def cancel_button(self, run: Run) -> SafeString | str:
        if run.status not in Run.ACTIVE or run.cancel_requested:
            return ""
        # The page's form is a POST with a CSRF token already; the button only sends it elsewhere.
        url = reverse("admin:classifier_run_cancel", args=[run.pk])
        return format_html(
            '<button type="submit" class="row-button" formaction="{}" formnovalidate>{}</button>',
            url,
            _("Cancel this run"),
        )


def _time_left(run: Run) -> str | None:
    if run.seconds_left is None:
        return None
    if run.seconds_left < 60:
        return _("less than a minute")
    now = timezone.now()
    return timeuntil(now + timedelta(seconds=run.seconds_left), now, depth=1)


def _live(run: Run, part: str, words: str | None) -> SafeString | str | None:
    """Return what the page's script keeps up to date while a run goes on."""
    if run.status not in Run.ACTIVE:
        return words or None
    return format_html('<span data-run="{}" data-part="{}">{}</span>', run.pk, part, words or "-")
