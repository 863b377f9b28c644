"""Titles for borrowers: the stored lists, and those for whoever stands at the desk."""

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

from classifier.admin.filtering import FilterForm, category_field
from classifier.admin.suggestions import ReadOnlyAdmin
from classifier.errors import FeedbackRefusedError
from classifier.models import Feedback, Recommendation
from classifier.services.configuration import library_config
from classifier.services.recommendation.feedback import give_feedback
from library.catalogue.admin.lookup import FindingAdmin
from library.catalogue.models import Book
from library.catalogue.selectors.lookup import titles_called
from library.people.admin.audit import Action, AuditedAdmin
from library.people.models import Borrower
from library.people.selectors import borrowers_called, without_personal_data

_SHOWN = 12
"""Titles at a glance."""


class ForBorrowerForm(FilterForm):
    card_number = forms.CharField(
        label=gettext_lazy("card number"), max_length=100, widget=UnfoldAdminTextInputWidget
    )
    category = category_field(label=gettext_lazy("category"))
    language = forms.CharField(
        label=gettext_lazy("language"), required=False, max_length=12, widget=UnfoldAdminTextInputWidget
    )
    available = forms.BooleanField(
        label=gettext_lazy("to be had now"), required=False, widget=UnfoldBooleanWidget
    )
    again = forms.BooleanField(
        label=gettext_lazy("borrowed before, too"), required=False, widget=UnfoldBooleanWidget
    )


@admin.register(Recommendation)
class RecommendationAdmin(FindingAdmin, AuditedAdmin, ReadOnlyAdmin):
    list_display = ["borrower", "rank", "book", "score", "why"]
    list_filter = [("borrower", AutocompleteSelectFilter), ("book", AutocompleteSelectFilter)]
    list_filter_submit = True
    found_by = {"borrower": borrowers_called, "book": titles_called}
    fields = ["borrower", "rank", "book", "score", "why", "created_at"]
    readonly_fields = ["why"]
    list_before_template = "classifier/for_borrower_link.html"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Recommendation]:
        return without_personal_data(super().get_queryset(request).select_related("book", "because"))

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.for_borrower_view)
        return [path("for/", view, name="classifier_recommendation_for"), *super().get_urls()]

    @display(description=gettext_lazy("reason"))
    def why(self, recommendation: Recommendation) -> str:
        return recommendation.reason

    def for_borrower_view(self, request: HttpRequest) -> HttpResponse:
        """Show what to recommend to somebody now, and take what they say of it."""
        self.refuse_unless(
            request, self.has_view_permission(request) and request.user.has_perm("people.view_borrower")
        )
        form = ForBorrowerForm(request.GET or None)
        chosen = form.chosen() if form.is_bound else {}
        card = chosen.pop("card_number", "")
        borrower = Borrower.objects.filter(card_number=card).only("card_number").first() if card else None
        if card and borrower is None:
            form.add_error("card_number", _("No borrower has this card."))
        if request.method == "POST" and borrower:
            self._say(request, borrower)
            return HttpResponseRedirect(request.get_full_path())
        titles = []
        if borrower:
            from classifier.selectors.recommendations import advised_titles  # loads numpy

            settings = library_config().recommend
            titles = advised_titles(borrower=borrower.pk, n=_SHOWN, settings=settings, **chosen)
            self.audit(request, Action.VIEWED, object_key=borrower.pk)
        context = {
            **self.admin_site.each_context(request),
            "title": _("Titles for a borrower"),
            "opts": self.opts,
            "filters": form,
            "borrower": borrower,
            "titles": titles,
            "verdicts": Feedback.Verdict.choices,
            "may_say": request.user.has_perm("classifier.add_feedback"),
            "media": form.media,
        }
        return render(request, "classifier/for_borrower.html", context)

    def _say(self, request: HttpRequest, borrower: Borrower) -> None:
        self.refuse_unless(request, request.user.has_perm("classifier.add_feedback"))
        verdict, _space, number = request.POST.get("say", "").partition(" ")
        if verdict not in Feedback.Verdict.values or not number.isdecimal():
            return
        book = get_object_or_404(Book, pk=int(number))
        try:
            feedback = give_feedback(
                borrower=borrower, book=book, verdict=Feedback.Verdict(verdict), now=timezone.now()
            )
        except FeedbackRefusedError as error:
            self.message_user(request, error.message, messages.ERROR)
        else:
            self.audit(request, Action.CHANGED, object_key=borrower.pk)
            self.message_user(request, f"{book}: {feedback.get_verdict_display()}", messages.SUCCESS)
