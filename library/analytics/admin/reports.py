"""Admin of the scheduled reports."""

from django.contrib import admin
from unfold.admin import ModelAdmin

from library.analytics.models import ScheduledReport


@admin.register(ScheduledReport)
class ScheduledReportAdmin(ModelAdmin):
    list_display = ["email", "page", "frequency", "branch", "category", "last_period_sent", "delivery_error"]
    list_filter = ["page", "frequency"]
    list_select_related = ["branch", "category"]
    search_fields = ["email"]
    autocomplete_fields = ["category"]
