"""Jobs: their progress and outcome, and buttons that start and cancel them."""

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
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from classifier import dispatch
from classifier.admin.base import PermanentAdmin, post_button
from classifier.models import Run
from classifier.presentation.tables import results_table, settings_table
from classifier.services.runs.lifecycle import last_duration, request_cancel
from classifier.services.runs.phases import phase_position
from library.admin_site.users import signed_in

CANCEL_RUN = "classifier.change_run"
#: Users who manage the schedules operate the installation, and may see tracebacks.
VIEW_TRACEBACK = "django_celery_beat.change_periodictask"
MAX_POLLED_RUNS = 50
"""As many as a page lists."""


class StartRunForm(forms.ModelForm):
    class Meta:
        model = Run
        fields = ["kind", "forced"]


@admin.register(Run)
class RunAdmin(PermanentAdmin):
    form = StartRunForm
    list_display = [
        "name", "status_label", "progress_bar", "phase_label", "duration", "outcome_text", "trigger",
        "requested_by", "requested_at", "cancel_button",
    ]  # fmt: skip
    list_display_links = ["name"]
    list_select_related = ["requested_by"]
    list_filter = ["kind", "status", "trigger"]
    list_before_template = "classifier/start_runs.html"
    change_form_before_template = "classifier/run_progress.html"
    column_permissions = {"cancel_button": CANCEL_RUN, "traceback_text": VIEW_TRACEBACK}

    def get_urls(self) -> list[Any]:
        return [
            self.post_path("cancel", self.cancel_view),
            path("progress/", self.admin_site.admin_view(self.progress_view), name="classifier_run_progress"),
            *super().get_urls(),
        ]

    def formfield_for_choice_field(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name == "kind":
            # Undoing needs a batch; the button is on the batch's page.
            kwargs["choices"] = [(kind.value, kind.label) for kind in Run.Kind if kind != Run.Kind.UNDO]
        return super().formfield_for_choice_field(db_field, request, **kwargs)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm("classifier.add_run")

    def get_fields(self, request: HttpRequest, obj: Run | None = None) -> list[str]:
        if obj is None:
            return ["kind", "forced"]
        fields = [
            "kind", "status", "progress_bar", "phase_label", "duration", "outcome_text", "trigger",
            "requested_by", "requested_at", "started_at", "finished_at", "attempt", "forced",
            "parameters_table", "results_table",
        ]  # fmt: skip
        if obj.traceback:
            fields.append("traceback_text")
        if obj.status in Run.ACTIVE:
            fields.append("cancel_button")
        return self.permitted_columns(request, fields)

    def get_readonly_fields(self, request: HttpRequest, obj: Run | None = None) -> list[str]:
        return [] if obj is None else self.get_fields(request, obj)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Run]:
        return super().get_queryset(request).defer("traceback")

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        start_buttons = [
            (Run.Kind.TRAIN.value, _("Train")),
            (Run.Kind.RECLASSIFY.value, _("Reclassify books")),
            (Run.Kind.RECOMMEND.value, _("Update recommendations")),
            (Run.Kind.ORDER_REVIEWS.value, _("Refresh review queue")),
            (Run.Kind.DRAW_MAP.value, _("Draw map")),
        ]
        context = {
            **(extra_context or {}),
            "start_buttons": start_buttons if self.has_add_permission(request) else [],
            "is_active": Run.objects.filter(status__in=Run.ACTIVE).exists(),
        }
        return super().changelist_view(request, context)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        active = Run.objects.filter(status__in=Run.ACTIVE)
        is_active = object_id.isdecimal() and active.filter(pk=object_id).exists()
        return super().change_view(
            request, object_id, form_url, {**(extra_context or {}), "is_active": is_active}
        )

    def progress_view(self, request: HttpRequest) -> JsonResponse:
        """Return the progress of runs, as text in the language of the page."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        keys = [key for key in request.GET.getlist("run") if key.isascii() and key.isdecimal()]
        rows = [
            {
                "run": run.pk,
                "active": run.status in Run.ACTIVE,
                "progress": round(run.progress, 3),
                "percent": f"{run.progress:.0%}",
                "phase": _phase_text(run) or "-",
            }
            for run in self.get_queryset(request).filter(pk__in=keys[:MAX_POLLED_RUNS])
        ]
        return JsonResponse({"runs": rows}, headers={"Cache-Control": "no-store"})

    def save_model(self, request: HttpRequest, obj: Run, form: Any, change: bool) -> None:
        requested = dispatch.request_run(
            kind=obj.kind,
            trigger=Run.Trigger.MANUAL,
            now=timezone.now(),
            user=signed_in(request.user),
            force=obj.forced,
        )
        # Django continues with this object, so it becomes the requested run.
        obj.__dict__.update(requested.run.__dict__)
        self.message_user(
            request, requested.message, messages.SUCCESS if requested.is_new else messages.WARNING
        )

    def response_add(self, request: HttpRequest, obj: Run, post_url_continue: Any = None) -> HttpResponse:
        return HttpResponseRedirect(reverse("admin:classifier_run_changelist"))

    def cancel_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        def cancel_run() -> str:
            run = request_cancel(run=get_object_or_404(Run, pk=pk), now=timezone.now())
            self.log_change(request, run, "Cancelled.")
            return _("Cancelling job: %s.") % run

        list_url = reverse("admin:classifier_run_changelist")
        return self.perform(request, cancel_run, permission=CANCEL_RUN, redirect_to=list_url)

    @display(description=gettext_lazy("job"), ordering="pk")
    def name(self, run: Run) -> str:
        return str(run)

    @display(
        description=gettext_lazy("status"),
        ordering="status",
        # For a status that is missing here, the theme would show the stored value instead of its label.
        label={
            "queued": None, "running": "info", "succeeded": "success", "failed": "warning",
            "errored": "danger", "cancelled": None,
        },
    )  # fmt: skip
    def status_label(self, run: Run) -> tuple[str, str]:
        if run.status == Run.Status.RUNNING and run.cancel_requested:
            return run.status, _("cancelling")
        return run.status, run.get_status_display()

    @display(description=gettext_lazy("progress"))
    def progress_bar(self, run: Run) -> SafeString:
        return format_html(
            '<progress value="{}" max="1" aria-label="{}"{}></progress> {}',
            round(run.progress, 3),
            _("progress"),
            format_html(' data-run="{}"', run.pk) if run.status in Run.ACTIVE else "",
            _live_text(run, "percent", f"{run.progress:.0%}"),
        )

    @display(description=gettext_lazy("phase"), empty_value="-")
    def phase_label(self, run: Run) -> SafeString | str | None:
        return _live_text(run, "phase", _phase_text(run))

    @display(description=gettext_lazy("duration"), empty_value="-")
    def duration(self, run: Run) -> str | None:
        """Return the time a job took; for a queued or running one, the time the last one of its type took."""
        if run.status in Run.ACTIVE:
            last = last_duration(kind=run.kind)
            return None if last is None else _("last time: %s") % _duration_text(last)
        return (
            _duration_text(run.finished_at - run.started_at) if run.started_at and run.finished_at else None
        )

    @display(description=gettext_lazy("outcome"), empty_value="-")
    def outcome_text(self, run: Run) -> str | None:
        return run.outcome or None

    @display(description=gettext_lazy("parameters"))
    def parameters_table(self, run: Run) -> SafeString:
        return settings_table(run.parameters)

    @display(description=gettext_lazy("result"))
    def results_table(self, run: Run) -> SafeString:
        return results_table(run.result)

    @display(description=gettext_lazy("traceback"))
    def traceback_text(self, run: Run) -> SafeString:
        return format_html("<pre>{}</pre>", run.traceback)

    @display(description="")
    def cancel_button(self, run: Run) -> SafeString | str:
        if run.status not in Run.ACTIVE or run.cancel_requested:
            return ""
        return post_button(reverse("admin:classifier_run_cancel", args=[run.pk]), _("Cancel job"))


def _phase_text(run: Run) -> str:
    """Return the phase, with its number if the job has several."""
    if not run.phase:
        return ""
    number, count = phase_position(kind=run.kind, phase=run.phase)
    if number is None:
        return run.phase_label
    return _("%(phase)s (%(number)s of %(count)s)") % {
        "phase": run.phase_label,
        "number": number,
        "count": count,
    }


def _duration_text(duration: timedelta) -> str:
    start = timezone.now()
    return _("less than a minute") if duration < timedelta(minutes=1) else timesince(start - duration, start)


def _live_text(run: Run, part: str, text: str | None) -> SafeString | str | None:
    """Return text that the page's script keeps up to date while a job is active."""
    if run.status not in Run.ACTIVE:
        return text or None
    return format_html('<span data-run="{}" data-part="{}">{}</span>', run.pk, part, text or "-")
