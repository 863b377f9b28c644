"""Recommendations: the stored ones, and a page that computes them for one borrower."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import get_object_or_404, render
from django.urls import path
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.contrib.filters.admin import AutocompleteSelectFilter
from unfold.decorators import display
from unfold.widgets import UnfoldAdminTextInputWidget, UnfoldBooleanWidget

from classifier.admin.base import ReadOnlyAdmin
from classifier.admin.filtering import FilterForm, category_field
from classifier.errors import FeedbackRefusedError
from classifier.models import Feedback, Recommendation
from classifier.services.configuration import library_config
from classifier.services.recommendation.feedback import give_feedback
from library.catalogue.admin.lookup import LookupAdmin
from library.catalogue.models import Book
from library.catalogue.selectors.lookup import search_titles
from library.people.admin.audit import Action, AuditedAdmin
from library.people.models import Borrower
from library.people.selectors import borrowers_by_card_number, without_personal_data

GIVE_FEEDBACK = "classifier.add_feedback"
_MAX_TITLES = 12


class BorrowerForm(FilterForm):
    card_number = forms.CharField(
        label=gettext_lazy("card number"), max_length=100, widget=UnfoldAdminTextInputWidget
    )
    category = category_field(label=gettext_lazy("category"))
    language = forms.CharField(
        label=gettext_lazy("language"), required=False, max_length=12, widget=UnfoldAdminTextInputWidget
    )
    available = forms.BooleanField(
        label=gettext_lazy("Available now"), required=False, widget=UnfoldBooleanWidget
    )
    include_borrowed = forms.BooleanField(
        label=gettext_lazy("Include already borrowed"), required=False, widget=UnfoldBooleanWidget
    )


@admin.register(Recommendation)
class RecommendationAdmin(LookupAdmin, AuditedAdmin, ReadOnlyAdmin):
    list_display = ["borrower", "rank", "book", "score", "reason_text"]
    list_filter = [("borrower", AutocompleteSelectFilter), ("book", AutocompleteSelectFilter)]
    list_filter_submit = True
    lookups = {"borrower": borrowers_by_card_number, "book": search_titles}
    fields = ["borrower", "rank", "book", "score", "reason_text", "created_at"]
    readonly_fields = ["reason_text"]
    list_before_template = "classifier/for_borrower_link.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Recommendation]:
        return without_personal_data(super().get_queryset(request).select_related("book", "because"))

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.for_borrower_view)
        return [path("for/", view, name="classifier_recommendation_for"), *super().get_urls()]

    @display(description=gettext_lazy("reason"))
    def reason_text(self, recommendation: Recommendation) -> str:
        return recommendation.reason

    def for_borrower_view(self, request: HttpRequest) -> HttpResponse:
        """Show recommendations for a borrower, computed now; a POST records feedback on a title."""
        self.require(
            request, self.has_view_permission(request) and request.user.has_perm("people.view_borrower")
        )
        form = BorrowerForm(request.GET or None)
        filters = form.selected() if form.is_bound else {}
        card_number = filters.pop("card_number", "")
        borrower = (
            Borrower.objects.filter(card_number=card_number).only("card_number").first()
            if card_number
            else None
        )
        if card_number and borrower is None:
            form.add_error("card_number", _("No borrower has this card number. Check it and try again."))
        if request.method == "POST" and borrower:
            self._record_feedback(request, borrower)
            return HttpResponseRedirect(request.get_full_path())
        titles = []
        if borrower:
            from classifier.selectors.recommendations import recommended_titles  # loads numpy

            settings = library_config().recommend
            titles = recommended_titles(borrower=borrower.pk, n=_MAX_TITLES, settings=settings, **filters)
            self.audit(request, Action.VIEWED, object_key=borrower.pk)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Recommendations for a borrower"),
            "opts": self.opts,
            "filters": form,
            "borrower": borrower,
            "titles": titles,
            "verdicts": Feedback.Verdict.choices,
            "can_give_feedback": request.user.has_perm(GIVE_FEEDBACK),
            "media": form.media,
        }
        return render(request, "classifier/for_borrower.html", context)

    def _record_feedback(self, request: HttpRequest, borrower: Borrower) -> None:
        self.require(request, request.user.has_perm(GIVE_FEEDBACK))
        verdict, _space, book_id = request.POST.get("feedback", "").partition(" ")
        if verdict not in Feedback.Verdict.values or not book_id.isdecimal():
            return
        book = get_object_or_404(Book, pk=int(book_id))
        try:
            feedback = give_feedback(
                borrower=borrower, book=book, verdict=Feedback.Verdict(verdict), now=timezone.now()
            )
        except FeedbackRefusedError as error:
            self.message_user(request, error.message, messages.ERROR)
        else:
            self.audit(request, Action.CHANGED, object_key=borrower.pk)
            self.message_user(request, f"{book}: {feedback.get_verdict_display()}", messages.SUCCESS)
