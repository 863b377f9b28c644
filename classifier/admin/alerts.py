"""Alerts, and the weekly model health reports behind them."""

from django.contrib import admin
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from classifier.admin.base import PermanentAdmin
from classifier.messages import render
from classifier.models import Alert, DriftReport
from classifier.presentation.bar_charts import drift_bars


@admin.register(Alert)
class AlertAdmin(PermanentAdmin):
    list_display = ["kind_label", "message_text", "created_at", "cleared_at"]
    list_filter = ["kind", ("cleared_at", admin.EmptyFieldListFilter)]
    fields = ["kind", "about", "message_text", "created_at", "cleared_at"]
    readonly_fields = ["message_text"]

    @display(description=gettext_lazy("type"), ordering="kind", label={"open": "danger", "cleared": None})
    def kind_label(self, alert: Alert) -> tuple[str, str]:
        return "cleared" if alert.cleared_at else "open", alert.get_kind_display()

    @display(description=gettext_lazy("issue"))
    def message_text(self, alert: Alert) -> str:
        return alert.text


@admin.register(DriftReport)
class DriftReportAdmin(PermanentAdmin):
    list_display = ["created_at", "version", "outcome"]
    list_select_related = ["version"]
    list_filter = ["version"]
    fields = ["version", "created_at", "bars", "findings_list"]
    readonly_fields = ["bars", "findings_list"]

    @display(description=gettext_lazy("outcome"), label={"drifted": "danger", "stable": "success"})
    def outcome(self, report: DriftReport) -> tuple[str, str]:
        if report.alerts:
            return "drifted", _("alerts: %s") % report.alerts
        return "stable", _("no action needed")

    @display(description=gettext_lazy("at training and now"))
    def bars(self, report: DriftReport) -> SafeString:
        return drift_bars(report)

    @display(description=gettext_lazy("findings"))
    def findings_list(self, report: DriftReport) -> SafeString:
        items = format_html_join("", "<li>{}</li>", ((render(finding),) for finding in report.findings))
        return format_html('<ul class="reasons">{}</ul>', items)
