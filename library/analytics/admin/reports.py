"""Who gets which report by e-mail."""

from django.contrib import admin
from unfold.admin import ModelAdmin

from library.analytics.models import ScheduledReport


@admin.register(ScheduledReport)
class ScheduledReportAdmin(ModelAdmin):
    list_display = ["email", "page", "every", "branch", "category", "sent_for", "problem"]
    list_filter = ["page", "every"]
    list_select_related = ["branch", "category"]
    search_fields = ["email"]
    autocomplete_fields = ["category"]
