"""What circulation does with borrowers, beside what people knows of them."""

from typing import Any

from django.contrib import admin, messages
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from library.circulation.models import Hold, Loan
from library.circulation.services.erasure import erase_borrower, reasons_against_erasing
from library.circulation.services.refusals import CirculationRefused
from library.people.admin.borrowers import BorrowerAdmin
from library.people.models import Borrower


class BorrowerWithCirculationAdmin(BorrowerAdmin):
    """Registered in place of the one of people, which knows nothing of loans: deleting is erasing here."""

    delete_confirmation_template = "circulation/erase.html"

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        # One at a time, with the page that says what will happen.
        return {
            name: action for name, action in super().get_actions(request).items() if name != "delete_selected"
        }

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, Any, Any, Any]:
        """Return what the page says: what will be cut, and what stands against it."""
        (borrower,) = objs
        loans = Loan.objects.filter(borrower=borrower).count()
        holds = Hold.objects.filter(borrower=borrower).count()
        cut = [
            ngettext(
                "Of %d loan nobody will know whose it was.",
                "Of %d loans nobody will know whose they were.",
                loans,
            )
            % loans,
            ngettext(
                "Of %d hold nobody will know whose it was.",
                "Of %d holds nobody will know whose they were.",
                holds,
            )
            % holds,
        ]
        return cut, {}, set(), [reason.message for reason in reasons_against_erasing(borrower=borrower)]

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        try:
            return super().delete_view(request, object_id, {"title": _("Erase"), **(extra_context or {})})
        except CirculationRefused as error:
            # Someone has lent to the borrower since the page looked; all is undone, the log too.
            self.message_user(request, error.message, messages.ERROR)
            return HttpResponseRedirect(reverse("admin:people_borrower_change", args=[object_id]))

    def delete_model(self, request: HttpRequest, obj: Borrower) -> None:
        erase_borrower(borrower=obj, now=timezone.now())


admin.site.unregister(Borrower)
admin.site.register(Borrower, BorrowerWithCirculationAdmin)
