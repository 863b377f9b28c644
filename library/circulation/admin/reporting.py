"""How the outcome of an action on several rows is told."""

from collections.abc import Callable, Iterable
from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest
from django.utils.translation import gettext as _

from library.errors import LibraryError


def act_on_each(
    *,
    model_admin: admin.ModelAdmin,
    request: HttpRequest,
    rows: Iterable[Any],
    act: Callable[[Any], object],
    log: str,
) -> None:
    """Do the same with each row and log it; tell how often it was done, and why where it was not."""
    done = 0
    for row in rows:
        try:
            act(row)
        except LibraryError as error:
            model_admin.message_user(request, f"{row}: {error.message}", messages.ERROR)
        else:
            done += 1
            model_admin.log_change(request, row, log)
    if done:
        model_admin.message_user(request, _("Done for %s.") % done, messages.SUCCESS)
