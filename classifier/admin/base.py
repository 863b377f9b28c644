"""Base of the classifier's admin pages: read-only rows, and buttons that act on them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_POST
from unfold.admin import ModelAdmin

from library.errors import LibraryError

#: Filing a book changes it, so the book's permission counts.
FILE_BOOKS = "catalogue.change_book"
#: A review files a book.
REVIEW_BOOKS = ("classifier.add_review", FILE_BOOKS)


class ReadOnlyAdmin(ModelAdmin):
    """Rows that only the classifier writes.

    Attributes
    ----------
    column_permissions
        By column or field: the permission without which it is hidden.
    """

    list_per_page = 50
    show_full_result_count = False
    column_permissions: ClassVar[Mapping[str, str]] = {}

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_list_display(self, request: HttpRequest) -> list[str]:
        return self.permitted_columns(request, super().get_list_display(request))

    def get_fields(self, request: HttpRequest, obj: Any = None) -> Sequence[Any]:
        return self.permitted_columns(request, super().get_fields(request, obj))

    def permitted_columns(self, request: HttpRequest, names: Sequence[Any]) -> list[Any]:
        """Return the columns without those whose permission the user lacks."""
        permissions = self.column_permissions
        return [name for name in names if name not in permissions or request.user.has_perm(permissions[name])]

    def post_path(self, name: str, view: Callable[..., HttpResponse], *, detail: bool = True) -> URLPattern:
        """Return the URL of a view that accepts POST only, for one row or for the list."""
        return path(
            f"<int:pk>/{name}/" if detail else f"{name}/",
            self.admin_site.admin_view(require_POST(view)),
            name=f"{self.opts.app_label}_{self.opts.model_name}_{name}",
        )

    def perform(
        self, request: HttpRequest, action: Callable[[], str], *, permission: str, redirect_to: str
    ) -> HttpResponse:
        """Perform an action, show the message that it returns, or why it was refused, and redirect."""
        self.require_permission(request, permission)
        try:
            self.message_user(request, action(), messages.SUCCESS)
        except LibraryError as error:
            self.message_user(request, error.message, messages.ERROR)
        return HttpResponseRedirect(redirect_to)

    def require_permission(self, request: HttpRequest, permission: str) -> None:
        """Refuse users who may not view the rows, or lack the permission."""
        if not (self.has_view_permission(request) and request.user.has_perm(permission)):
            raise PermissionDenied


class PermanentAdmin(ReadOnlyAdmin):
    """Rows that only the classifier writes and deletes."""

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


def post_button(url: str, label: object) -> SafeString:
    """Return a button that sends the page's own form, a POST with a CSRF token, to another URL."""
    return format_html(
        '<button type="submit" class="row-button" formaction="{}" formnovalidate>{}</button>', url, label
    )
