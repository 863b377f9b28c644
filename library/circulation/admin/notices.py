"""Notice admin, with the letters to print."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, pgettext
from django.views.decorators.http import require_safe
from unfold.decorators import display

from library.catalogue.admin.lookup import LookupAdmin
from library.circulation.admin.reporting import ReadOnlyAdmin, csv_response
from library.circulation.models import Notice
from library.circulation.selectors.lookup import NOTICES_FOUND_BY
from library.circulation.services.notices import letters_to_print, mark_printed
from library.people.admin.audit import Action
from library.people.selectors import without_personal_data


@admin.register(Notice)
class NoticeAdmin(LookupAdmin, ReadOnlyAdmin):
    list_display = ["claimed_at", "kind", "card", "title", "state_label", "sent_at", "problem"]
    list_filter = ["state", "kind"]
    list_per_page = 50
    show_full_result_count = False
    lookups = NOTICES_FOUND_BY
    search_help_text = gettext_lazy("First characters of a card number")
    list_before_template = "circulation/notice_links.html"
    actions = ["printed"]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Notice]:
        rows = super().get_queryset(request).select_related("loan__copy__book", "hold__book")
        return without_personal_data(without_personal_data(rows, at="loan__borrower"), at="hold__borrower")

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(require_safe(self.letters_view))
        return [path("letters/", view, name="circulation_notice_letters"), *super().get_urls()]

    def letters_view(self, request: HttpRequest) -> HttpResponse:
        """Return the letters to print as CSV, one row each, with names and addresses."""
        allowed = self.has_view_permission(request) and request.user.has_perm("people.view_borrower")
        self.require(request, allowed)
        letters = list(letters_to_print())
        self.audit(
            request, Action.EXPORTED, listed=[notice.pk for letter in letters for notice in letter.notices]
        )
        rows = (
            [
                letter.borrower.card_number,
                letter.borrower.name,
                letter.borrower.address,
                letter.subject,
                letter.text,
                " ".join(sorted({notice.problem for notice in letter.notices})),
            ]
            for letter in letters
        )
        heading = [
            _("card number"),
            pgettext("of a person", "name"),
            _("address"),
            _("subject"),
            _("text"),
            _("delivery error"),
        ]
        return csv_response("letters.csv", heading, rows)

    @admin.action(permissions=["change"], description=gettext_lazy("Mark selected notices as printed"))
    def printed(self, request: HttpRequest, queryset: QuerySet[Notice]) -> None:
        notices = list(queryset)
        updated = mark_printed(notices=notices, now=timezone.now())
        for notice in notices:
            self.log_change(request, notice, "printed")
        self.message_user(request, _("Records updated: %s.") % updated, messages.SUCCESS)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        # Allows the action; the page of a notice is read-only.
        return admin.ModelAdmin.has_change_permission(self, request, obj)

    @display(description=gettext_lazy("borrower"))
    def card(self, notice: Notice) -> str:
        return notice.borrower.card_number if notice.borrower else "-"

    @display(description=gettext_lazy("title"))
    def title(self, notice: Notice) -> str:
        book = notice.loan.copy.book if notice.loan else notice.hold and notice.hold.book
        return str(book)

    @display(
        description=gettext_lazy("status"),
        ordering="state",
        # Name every state: for others, the theme would show the database value.
        label={
            "claimed": "info", "sent": "success", "to_print": "warning", "printed": "success",
            "dropped": None,
        },
    )  # fmt: skip
    def state_label(self, notice: Notice) -> tuple[str, str]:
        return notice.state, notice.get_state_display()
