"""Admin of loan policies and closed days, with a page to test policies."""

from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import path
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_safe
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from library.catalogue.models import Branch, Copy
from library.circulation.models import ClosedDay, LoanPolicy
from library.circulation.selectors.policies import PolicyMatch, policy_for
from library.errors import LibraryError
from library.people.models import Borrower


class PolicyTestForm(forms.Form):
    card_number = forms.CharField(label=gettext_lazy("card number"), widget=UnfoldAdminTextInputWidget)
    barcode = forms.CharField(label=gettext_lazy("barcode"), widget=UnfoldAdminTextInputWidget)
    branch = forms.ModelChoiceField(
        label=gettext_lazy("branch"),
        queryset=Branch.objects.all(),
        required=False,
        widget=UnfoldAdminSelectWidget,
    )

    def clean_card_number(self) -> Borrower:
        card_number = self.cleaned_data["card_number"].strip()
        borrower = Borrower.objects.select_related("category").filter(card_number=card_number).first()
        if borrower is None:
            raise forms.ValidationError(_("No borrower has the card number %s.") % card_number)
        return borrower

    def clean_barcode(self) -> Copy:
        barcode = self.cleaned_data["barcode"].strip()
        copy = Copy.objects.select_related("item_type", "book").filter(barcode=barcode).first()
        if copy is None:
            raise forms.ValidationError(_("No copy has the barcode %s.") % barcode)
        return copy

    def match(self) -> PolicyMatch:
        """Return the policy that applies to the borrower, copy and branch of the valid form."""
        data = self.cleaned_data
        return policy_for(
            branch=data["branch"],
            borrower_category=data["card_number"].category,
            item_type=data["barcode"].item_type,
        )


@admin.register(LoanPolicy)
class LoanPolicyAdmin(ModelAdmin):
    list_display = [
        "__str__", "branch", "borrower_category", "item_type", "loan_days", "max_loans", "renewals_allowed",
        "holds_allowed", "fine_per_day", "grace_days", "fine_cap",
    ]  # fmt: skip
    list_select_related = ["branch", "borrower_category", "item_type"]
    list_filter = ["branch", "borrower_category", "item_type"]
    list_per_page = 50
    show_full_result_count = False
    list_before_template = "circulation/policy_test_link.html"

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(require_safe(self.policy_test_view))
        return [path("test/", view, name="circulation_loanpolicy_test"), *super().get_urls()]

    def policy_test_view(self, request: HttpRequest) -> HttpResponse:
        # The page reveals the category of a borrower.
        if not (self.has_view_permission(request) and request.user.has_perm("people.view_borrower")):
            raise PermissionDenied
        form = PolicyTestForm(request.GET or None)
        match = None
        if form.is_valid():
            try:
                match = form.match()
            except LibraryError as error:
                form.add_error(None, error.message)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Test a loan rule"),
            "opts": self.opts,
            "form": form,
            "match": match,
        }
        return render(request, "circulation/policy_test.html", context)


@admin.register(ClosedDay)
class ClosedDayAdmin(ModelAdmin):
    list_display = ["date", "branch"]
    list_select_related = ["branch"]
    list_filter = ["branch"]
    list_per_page = 50
    show_full_result_count = False
    date_hierarchy = "date"
