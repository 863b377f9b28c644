"""What was reviewed, and the page on which a librarian reviews book after book without a mouse."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.decorators import display
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from classifier import reasons
from classifier.admin.filtering import FilterForm, category_field
from classifier.admin.suggestions import ReadOnlyAdmin
from classifier.models import Review, ReviewItem
from classifier.review_selectors import ReviewFilters, waiting_items
from classifier.services.review import clear_rejections, judge, undo_last
from classifier.services.review_queue import next_for
from library.catalogue.models import Branch
from library.desk.users import signed_in
from library.errors import LibraryError

_SIMILAR = 5
_ANY = ("", gettext_lazy("any"))
_VERDICTS = Review.Verdict


class ReviewFilterForm(FilterForm):
    branch = forms.ModelChoiceField(
        label=gettext_lazy("branch"),
        queryset=Branch.objects.all(),
        to_field_name="code",
        required=False,
        empty_label=gettext_lazy("any"),
        widget=UnfoldAdminSelectWidget,
    )
    language = forms.CharField(
        label=gettext_lazy("language"), required=False, max_length=12, widget=UnfoldAdminTextInputWidget
    )
    category = category_field(label=gettext_lazy("category suggested"))
    reason = forms.ChoiceField(
        label=gettext_lazy("reason"),
        required=False,
        choices=[_ANY, *ReviewItem.REASONS.items()],
        widget=UnfoldAdminSelectWidget,
    )


class VerdictForm(forms.Form):
    suggestion = forms.IntegerField()
    verdict = forms.ChoiceField(choices=Review.Verdict.choices)
    category = category_field()
    note = forms.CharField(max_length=200, required=False, widget=UnfoldAdminTextInputWidget)

    def judge(self, *, reviewer: Any, now: Any) -> Review:
        """Record what was chosen; the form must be valid."""
        given = dict(self.cleaned_data)
        if given["verdict"] != _VERDICTS.CORRECT:
            given["category"] = None  # looked for, and not taken
        return judge(**given, reviewer=reviewer, now=now)


@admin.register(Review)
class ReviewAdmin(ReadOnlyAdmin):
    list_display = [
        "at", "book", "verdict_label", "suggested", "category", "reviewer", "seconds", "note", "withdrawn_at"
    ]  # fmt: skip
    list_display_links = ["at"]
    list_select_related = ["book", "suggested", "category", "reviewer"]
    list_filter = ["verdict", ("withdrawn_at", admin.EmptyFieldListFilter)]
    date_hierarchy = "at"
    search_fields = ["book__title", "book__control_number", "suggested__notation"]
    actions = ["clear_rejections_of"]
    exclude = ["evidence"]

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.next_view)
        return [path("next/", view, name="classifier_review_next"), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Review]:
        return super().get_queryset(request).defer("evidence")

    def has_review_permission(self, request: HttpRequest) -> bool:
        """A review files books, so the book's permission counts too."""
        return request.user.has_perms(["classifier.add_review", "catalogue.change_book"])

    @display(
        description=gettext_lazy("verdict"),
        ordering="verdict",
        label={"accept": "success", "correct": "info", "reject": "warning", "unknown": None},
    )
    def verdict_label(self, review: Review) -> tuple[str, str]:
        return review.verdict, review.get_verdict_display()

    @admin.action(
        permissions=["review"], description=gettext_lazy("Let rejected categories be suggested again")
    )
    def clear_rejections_of(self, request: HttpRequest, queryset: QuerySet[Review]) -> None:
        books = {review.book for review in queryset.select_related("book")}
        done = sum(clear_rejections(book=book, now=timezone.now()) for book in books)
        text = ngettext(
            "%d category may be suggested again, from the next reclassification on.",
            "%d categories may be suggested again, from the next reclassification on.",
            done,
        )
        self.message_user(request, text % done, messages.SUCCESS)

    def next_view(self, request: HttpRequest) -> HttpResponse:
        """Show the next book; a POST judges it, or undoes, and leads here again."""
        if not self.has_review_permission(request):
            raise PermissionDenied
        if request.method == "POST":
            self._act(request)
            return HttpResponseRedirect(request.get_full_path())
        form = ReviewFilterForm(request.GET, auto_id="filter_%s")
        filters = ReviewFilters(**form.chosen())
        reviewer = signed_in(request.user)
        item = next(iter(next_for(reviewer=reviewer, now=timezone.now(), filters=filters)), None)
        verdict = VerdictForm()
        context = {
            **self.admin_site.each_context(request),
            "title": _("Review"),
            "opts": self.opts,
            "filters": form,
            "is_filtered": filters != ReviewFilters(),
            "form": verdict,
            "media": self.media + form.media + verdict.media,
            "left": waiting_items(filters=filters).count(),
            "item": item,
            "can_undo": Review.objects.filter(reviewer=request.user.pk, withdrawn_at=None).exists(),
            "list_url": reverse("admin:classifier_review_changelist"),
        }
        if item:
            from classifier.reader_selectors import similar_titles  # loads numpy

            suggestions = list(item.book.suggestions.all())
            context |= {
                "suggestions": suggestions,
                "evidence": reasons.as_html(suggestions[0]) if suggestions else "",
                "waits_for": [ReviewItem.REASONS[name] for name in item.reasons],
                "similar": similar_titles(book=item.book_id, n=_SIMILAR),
            }
        answer = render(request, "classifier/review.html", context)
        # Going back must not show a book that was judged, or is another's.
        answer["Cache-Control"] = "no-store"
        return answer

    def _act(self, request: HttpRequest) -> None:
        now = timezone.now()
        try:
            if request.POST.get("verdict") == "undo":
                review = undo_last(reviewer=signed_in(request.user), now=now)
                said = _("Undone: %s.") % review
            else:
                form = VerdictForm(_with_other(request))
                if not form.is_valid():
                    self.message_user(request, form.errors.as_text(), messages.ERROR)
                    return
                review = form.judge(reviewer=signed_in(request.user), now=now)
                said = f"{review}." if review.category is None else f"{review} → {review.category}."
        except LibraryError as error:
            self.message_user(request, error.message, messages.ERROR)
        else:
            self.log_change(request, review.book, said)
            self.message_user(request, said, messages.SUCCESS)


def _with_other(request: HttpRequest) -> dict[str, Any]:
    """Return what was sent; the button of the second or third suggestion is a correction to that."""
    sent = request.POST.dict()
    if "other" in sent:
        sent |= {"verdict": _VERDICTS.CORRECT.value, "category": sent["other"]}
    return sent
