"""Read-only admin pages of the statistics, with their own permission."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponseBase
from django.urls import path
from django.utils import timezone
from django.views.decorators.http import require_safe
from unfold.admin import ModelAdmin

from library.analytics.admin.pages import statistics_page
from library.analytics.figures.registry import PAGES
from library.analytics.models import Statistics


@admin.register(Statistics)
class StatisticsAdmin(ModelAdmin):
    """The overview takes the place of the change list; the other pages are below it."""

    def get_urls(self) -> list[Any]:
        pages = [
            path(
                f"{name}/",
                self.admin_site.admin_view(self._view_of(name)),
                name=f"analytics_statistics_{name}",
            )
            for name in PAGES
            if name != "overview"
        ]
        return [*pages, *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> Any:
        return self._view_of("overview")(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def _view_of(self, name: str) -> Any:
        @require_safe
        def view(request: HttpRequest) -> HttpResponseBase:
            if not self.has_view_permission(request):
                raise PermissionDenied
            return statistics_page(self, request, name=name, now=timezone.now())

        return view
