"""Audited admin pages of personal data, and the audit log itself."""

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.contrib.admin.models import ADDITION, CHANGE, DELETION, LogEntry
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from library.admin_site.widgets.filters import DateRangeFilter
from library.people.models import AuditEntry
from library.people.selectors import entries_for_record
from library.people.services.audit import write_entry

Action = AuditEntry.Action
_READ_METHODS = ("GET", "HEAD")


class AuditedAdmin(ModelAdmin):
    """Base of the admin classes of models with personal data.

    A page is sent only once its audit entry is written. A change and its entry are one transaction. Django's
    own history is kept too, with primary keys instead of card numbers and names.
    """

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if request.method in _READ_METHODS:
            response = self._audit_refusal(request, super().changelist_view, extra_context)
            if change_list := (getattr(response, "context_data", None) or {}).get("cl"):
                self.audit(request, Action.SEARCHED, listed=[row.pk for row in change_list.result_list])
            return response
        # List actions. Django runs the changes of the other pages in a transaction itself.
        with transaction.atomic():
            return super().changelist_view(request, extra_context)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        response = self._audit_refusal(request, super().changeform_view, object_id, form_url, extra_context)
        return self._audit_view(request, response, object_id)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        response = self._audit_refusal(request, super().delete_view, object_id, extra_context)
        return self._audit_view(request, response, object_id)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        response = self._audit_refusal(request, super().history_view, object_id, extra_context)
        return self._audit_view(request, response, object_id)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        # Autocomplete fields of other pages show these records like a list.
        if request.resolver_match and request.resolver_match.url_name in ("autocomplete", "search"):
            self.audit(request, Action.SEARCHED)
        return super().get_search_results(request, queryset, search_term)

    def log_addition(self, request: HttpRequest, obj: Model, message: Any) -> LogEntry:
        return self._log(request, [obj], ADDITION, message)[0]

    def log_change(self, request: HttpRequest, obj: Model, message: Any) -> LogEntry:
        return self._log(request, [obj], CHANGE, message)[0]

    def log_deletions(self, request: HttpRequest, queryset: Iterable[Model]) -> list[LogEntry]:
        return self._log(request, queryset, DELETION, "")

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> list[dict[str, Any]]:
        # Without the formsets: Django would log the values of inline rows, not just the names of fields.
        return super().construct_change_message(request, form, None, add)

    def audit(
        self,
        request: HttpRequest,
        action: AuditEntry.Action,
        *,
        object_key: object = "",
        listed: Iterable[object] = (),
    ) -> None:
        """Write an entry about this request. Subclasses call it for their own pages."""
        write_entry(
            user=request.user,
            action=action,
            path=request.path,
            now=timezone.now(),
            # For a proxy model, the model behind it.
            model=self.opts.concrete_model,
            object_key=object_key,
            listed=listed,
        )

    def require(self, request: HttpRequest, allowed: bool) -> None:
        """Refuse and log the request unless `allowed`. Subclasses call it for their own pages."""
        if not allowed:
            self.audit(request, Action.REFUSED)
            raise PermissionDenied

    def _audit_refusal(self, request: HttpRequest, view: Any, *arguments: Any) -> HttpResponse:
        try:
            return view(request, *arguments)
        except PermissionDenied:
            match = request.resolver_match
            self.audit(request, Action.REFUSED, object_key=match.kwargs.get("object_id", "") if match else "")
            raise

    def _audit_view(
        self, request: HttpRequest, response: HttpResponse, object_id: str | None
    ) -> HttpResponse:
        if object_id is not None and request.method in _READ_METHODS and response.status_code == 200:
            self.audit(request, Action.VIEWED, object_key=object_id)
        return response

    def _log(self, request: HttpRequest, objects: Iterable[Model], flag: int, message: Any) -> list[LogEntry]:
        content_type = ContentType.objects.get_for_model(self.model)
        entries = []
        for record in objects:
            self.audit(request, Action.CHANGED, object_key=record.pk)
            entry = LogEntry(
                user=request.user,  # type: ignore[misc]  # only staff come here
                content_type=content_type,
                object_id=str(record.pk),
                object_repr=f"{self.opts.verbose_name} {record.pk}",
                action_flag=flag,
                change_message=message,
            )
            entry.save()
            entries.append(entry)
        return entries


@admin.register(AuditEntry)
class AuditEntryAdmin(ModelAdmin):
    """The audit log, read-only."""

    list_display = ["created_at", "user_name", "action", "object_type", "object_key", "path"]
    list_filter = ["action", ("created_at", DateRangeFilter)]
    list_filter_submit = True
    list_per_page = 50
    show_full_result_count = False
    search_fields = ["=user_name"]
    fields = [
        "created_at",
        "user_key",
        "user_name",
        "action",
        "object_type",
        "object_key",
        "record_keys",
        "path",
    ]
    search_help_text = _("Username or record ID")

    @admin.display(description=_("listed records"))
    def record_keys(self, entry: AuditEntry) -> str:
        return ", ".join(entry.record_keys)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet, search_term: str
    ) -> tuple[QuerySet, bool]:
        if search_term.strip().isdecimal():
            return entries_for_record(object_key=search_term.strip(), entries=queryset), False
        return super().get_search_results(request, queryset, search_term)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
