"""Helpers for the admin pages: borrower column, per-row actions, read-only lists, CSV."""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.decorators import display

from library.circulation.models import ANONYMISED
from library.errors import LibraryError
from library.people.admin.audit import AuditedAdmin
from library.tabular import CsvWriter

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


@display(description=gettext_lazy("borrower"), ordering="borrower__card_number")
def borrower_card(row: Any) -> str:
    """Return the card number of a loan, hold or fine; used as a column and as a read-only field."""
    return str(row.borrower or ANONYMISED)


def per_row_action(
    name: str, *, description: "StrOrPromise", act: Callable[[Any, datetime], object]
) -> Callable[[admin.ModelAdmin, HttpRequest, QuerySet], None]:
    """Return an admin action that is performed on each selected row.

    It logs each change under its name and shows the number of changes, and an error for each failed row.

    Parameters
    ----------
    name
        Name of the action in the URL and in the log.
    description
        Label of the action.
    act
        Takes a row and the time; a `LibraryError` that it raises is shown with the row.
    """

    def perform(model_admin: admin.ModelAdmin, request: HttpRequest, rows: QuerySet) -> None:
        updated = 0
        for row in rows:
            try:
                act(row, timezone.now())
            except LibraryError as error:
                model_admin.message_user(request, f"{row}: {error.message}", messages.ERROR)
            else:
                updated += 1
                model_admin.log_change(request, row, name)
        if updated:
            model_admin.message_user(request, _("Records updated: %s.") % updated, messages.SUCCESS)

    perform.__name__ = name
    return admin.action(permissions=["change"], description=description)(perform)


#: Help text of the search in lists about loans.
SEARCH_HELP = gettext_lazy("Title, or the first characters of a barcode or card number")


def csv_response(name: str, heading: Iterable[object], rows: Iterable[Iterable[object]]) -> HttpResponse:
    """Return a CSV download; cells that a spreadsheet would run as formulas are escaped."""
    # Spreadsheets recognise UTF-8 by the byte order mark.
    response = HttpResponse("\ufeff", content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    writer = CsvWriter(response)  # type: ignore[arg-type]  # it needs only write()
    writer.writerow(heading)
    writer.writerows(rows)
    return response


class ReadOnlyAdmin(AuditedAdmin):
    """Read-only admin for rows that only the services write."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [field.name for field in self.opts.fields if not field.primary_key]
