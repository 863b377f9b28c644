"""Borrower admin with erasure, which depends on circulation."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from library.circulation.models import Hold, Loan
from library.circulation.services.erasure import erase_borrower, erasure_blocks
from library.circulation.services.refusals import CirculationRefused
from library.people.admin.borrowers import BorrowerAdmin
from library.people.models import Borrower


class BorrowerWithCirculationAdmin(BorrowerAdmin):
    """Replaces the admin of `library.people`, which does not know loans: here, deleting means erasing."""

    delete_confirmation_template = "circulation/erase.html"

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        # Only one borrower at a time, with a confirmation page that lists the effects.
        return {
            name: action for name, action in super().get_actions(request).items() if name != "delete_selected"
        }

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, Any, Any]:
        """Return what the erasure anonymises and the reasons against it, for the confirmation page."""
        (borrower,) = objs
        loans = Loan.objects.filter(borrower=borrower).count()
        holds = Hold.objects.filter(borrower=borrower).count()
        effects = [
            ngettext(
                "%d loan will be anonymised.",
                "%d loans will be anonymised.",
                loans,
            )
            % loans,
            ngettext(
                "%d hold will be anonymised.",
                "%d holds will be anonymised.",
                holds,
            )
            % holds,
        ]
        return effects, {}, set(), [reason.message for reason in erasure_blocks(borrower=borrower)]

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        try:
            return super().delete_view(
                request, object_id, {"title": _("Erase borrower"), **(extra_context or {})}
            )
        except CirculationRefused as error:
            # A loan was added after the page was shown; everything is rolled back, including the log.
            self.message_user(request, error.message, messages.ERROR)
            return HttpResponseRedirect(reverse("admin:people_borrower_change", args=[object_id]))

    def delete_model(self, request: HttpRequest, obj: Borrower) -> None:
        erase_borrower(borrower=obj, now=timezone.now())


admin.site.unregister(Borrower)
admin.site.register(Borrower, BorrowerWithCirculationAdmin)
