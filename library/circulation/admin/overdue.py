"""List of overdue loans, also as CSV."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe
from unfold.decorators import display

from library.catalogue.admin.lookup import LookupAdmin
from library.circulation.admin.reporting import SEARCH_HELP, ReadOnlyAdmin, csv_response
from library.circulation.models import Loan, OverdueLoan
from library.circulation.selectors.calendar import library_date
from library.circulation.selectors.lookup import LOANS_FOUND_BY
from library.circulation.selectors.overdue import days_late, fine_so_far, is_overdue, overdue_loans
from library.people.admin.audit import Action
from library.people.selectors import without_personal_data


class DaysLateFilter(admin.SimpleListFilter):
    title = gettext_lazy("overdue (days)")
    parameter_name = "days_late"

    def lookups(self, request: HttpRequest, model_admin: admin.ModelAdmin) -> list[tuple[str, str]]:
        return [(str(days), _("%s days or more") % days) for days in (7, 14, 30, 60, 90, 365)]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Loan]) -> QuerySet[Loan]:
        days = self.value() or ""
        if not days.isascii() or not days.isdecimal() or len(days) > 4:
            return queryset
        return queryset.filter(is_overdue(now=timezone.now(), days=int(days)))


@admin.register(OverdueLoan)
class OverdueLoanAdmin(LookupAdmin, ReadOnlyAdmin):
    list_display = ["title", "copy", "borrower_link", "category", "branch", "due_on", "late", "fine"]
    list_display_links = None
    list_filter = [DaysLateFilter, "branch", "borrower__category", "copy__item_type"]
    list_per_page = 50
    show_full_result_count = False
    # Always sorted by due date.
    sortable_by = ()
    lookups = LOANS_FOUND_BY
    search_help_text = SEARCH_HELP
    list_before_template = "circulation/overdue_links.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[OverdueLoan]:
        loans = super().get_queryset(request).select_related("copy__book", "branch", "borrower__category")
        return without_personal_data(overdue_loans(now=timezone.now(), loans=loans))

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(require_safe(self.export_view))
        return [path("export/", view, name="circulation_overdueloan_export"), *super().get_urls()]

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def export_view(self, request: HttpRequest) -> HttpResponse:
        """Return the whole filtered list as one CSV file."""
        self.require(request, self.has_view_permission(request))
        now = timezone.now()
        loans = list(self.get_changelist_instance(request).get_queryset(request))
        self.audit(request, Action.EXPORTED, listed=[loan.pk for loan in loans])
        heading = [
            _("title"),
            _("barcode"),
            _("card number"),
            _("borrower category"),
            _("branch"),
            _("due date"),
        ]
        rows = (
            [
                loan.copy.book.title,
                loan.copy.barcode,
                loan.borrower.card_number,
                str(loan.borrower.category or ""),
                str(loan.branch or ""),
                library_date(at=loan.due_at),
                days_late(loan=loan, now=now),
                fine_so_far(loan=loan, now=now),
            ]
            for loan in loans
        )
        return csv_response("overdue.csv", [*heading, _("overdue (days)"), _("fine to date")], rows)

    @display(description=gettext_lazy("title"))
    def title(self, loan: OverdueLoan) -> str:
        return loan.copy.book.title

    @display(description=gettext_lazy("borrower"))
    def borrower_link(self, loan: OverdueLoan) -> SafeString:
        url = reverse("admin:people_borrower_change", args=[loan.borrower_id])
        return format_html('<a class="font-semibold" href="{}">{}</a>', url, loan.borrower)

    @display(description=gettext_lazy("borrower category"))
    def category(self, loan: OverdueLoan) -> str:
        return str((loan.borrower and loan.borrower.category) or "-")

    @display(description=gettext_lazy("due date"))
    def due_on(self, loan: OverdueLoan) -> Any:
        return library_date(at=loan.due_at)

    @display(description=gettext_lazy("overdue (days)"))
    def late(self, loan: OverdueLoan) -> int:
        return days_late(loan=loan, now=timezone.now())

    @display(description=gettext_lazy("fine to date"))
    def fine(self, loan: OverdueLoan) -> Any:
        return fine_so_far(loan=loan, now=timezone.now())
