"""Actions on several rows, and how their outcome is told."""

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext as _

from library.errors import LibraryError

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise


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
