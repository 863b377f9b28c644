"""What somebody should look at: alarms, and the weekly reports behind them."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from classifier.admin.suggestions import ReadOnlyAdmin
from classifier.messages import spoken
from classifier.models import Alarm, DriftReport
from classifier.presentation import pictures


class WrittenByTasks(ReadOnlyAdmin):
    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


@admin.register(Alarm)
class AlarmAdmin(WrittenByTasks):
    list_display = ["shown_kind", "said", "since", "cleared_at"]
    list_filter = ["kind", ("cleared_at", admin.EmptyFieldListFilter)]
    fields = ["kind", "about", "said", "since", "cleared_at"]
    readonly_fields = ["said"]

    @display(description=gettext_lazy("kind"), ordering="kind", label={"open": "danger", "cleared": None})
    def shown_kind(self, alarm: Alarm) -> tuple[str, str]:
        return "cleared" if alarm.cleared_at else "open", alarm.get_kind_display()

    @display(description=gettext_lazy("what is wrong"))
    def said(self, alarm: Alarm) -> str:
        return alarm.words


@admin.register(DriftReport)
class DriftReportAdmin(WrittenByTasks):
    list_display = ["made_at", "version", "outcome"]
    list_select_related = ["version"]
    list_filter = ["version"]
    fields = ["version", "made_at", "picture", "findings_list"]
    readonly_fields = ["picture", "findings_list"]

    @display(description=gettext_lazy("outcome"), label={"moved": "danger", "calm": "success"})
    def outcome(self, report: DriftReport) -> tuple[str, str]:
        if report.alarms:
            return "moved", _("alarms: %s") % report.alarms
        return "calm", _("nothing to do")

    @display(description=gettext_lazy("then and now"))
    def picture(self, report: DriftReport) -> SafeString:
        return pictures.drift(report)

    @display(description=gettext_lazy("findings"))
    def findings_list(self, report: DriftReport) -> SafeString:
        lines = format_html_join("", "<li>{}</li>", ((spoken(each),) for each in report.findings))
        return format_html('<ul class="reasons">{}</ul>', lines)
