"""What the pages of circulation share: whose a row is, actions on rows, lists that are only read, CSV."""

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

from library.circulation.models import FORGOTTEN
from library.errors import LibraryError
from library.people.admin.audit import AuditedAdmin
from library.tabular import CsvWriter

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


@display(description=gettext_lazy("borrower"), ordering="borrower__card_number")
def who(row: Any) -> str:
    """Return whose a loan, hold or fine is, by the card; a column and a read-only field of the admin."""
    return str(row.borrower or FORGOTTEN)


def action_on_each(
    name: str, *, description: "StrOrPromise", act: Callable[[Any, datetime], object]
) -> Callable[[admin.ModelAdmin, HttpRequest, QuerySet], None]:
    """Return an admin action that does the same with each row.

    It logs each under its name, and tells how often it was done, and why where it was not.

    Parameters
    ----------
    name : str
        Of the action, in the address and in the log.
    description : str
        What the page calls it.
    act : callable
        Takes a row and the time; a `LibraryError` it raises is shown beside the row.
    """

    def do(model_admin: admin.ModelAdmin, request: HttpRequest, rows: QuerySet) -> None:
        done = 0
        for row in rows:
            try:
                act(row, timezone.now())
            except LibraryError as error:
                model_admin.message_user(request, f"{row}: {error.message}", messages.ERROR)
            else:
                done += 1
                model_admin.log_change(request, row, name)
        if done:
            model_admin.message_user(request, _("Done for %s.") % done, messages.SUCCESS)

    do.__name__ = name
    return admin.action(permissions=["change"], description=description)(do)


#: What may be typed into the search of lists about loans.
FOUND_BY_HELP = gettext_lazy("A title, or how a barcode or a card number begins")


def csv_response(name: str, heading: Iterable[object], rows: Iterable[Iterable[object]]) -> HttpResponse:
    """Return a CSV file to be saved, with cells that no spreadsheet runs."""
    # The mark tells spreadsheets that it is UTF-8.
    response = HttpResponse("\ufeff", content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    writer = CsvWriter(response)  # type: ignore[arg-type]  # all it asks for is write
    writer.writerow(heading)
    writer.writerows(rows)
    return response


class ReadOnlyAdmin(AuditedAdmin):
    """Rows that services alone write."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> list[str]:
        return [field.name for field in self.opts.fields if not field.primary_key]
