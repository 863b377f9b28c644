"""Review page: one book after another, usable with the keyboard alone."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from classifier.admin.base import REVIEW_BOOKS
from classifier.admin.filtering import FilterForm, category_field
from classifier.models import Review, ReviewItem
from classifier.presentation import evidence
from classifier.presentation.highlighting import highlight
from classifier.selectors.reviews import ReviewFilters, find_categories, waiting_items
from classifier.services.review.queue import next_for
from classifier.services.review.verdicts import record_verdict, undo_last
from library.admin_site.users import signed_in
from library.catalogue.models import Branch, Category
from library.errors import LibraryError

_PRELOADED = 2
"""Books loaded behind the one shown, so that the next appears at once."""
_SIMILAR_TITLES = 5
_MAX_CATEGORIES = 12
_MAX_PARENTS = 3
_ANY = ("", gettext_lazy("Any"))
_VERDICTS = Review.Verdict
BACKGROUND_HEADER = "X-Requested-With"
"""Header of the script's requests; the response contains the books only."""


class ReviewFilterForm(FilterForm):
    branch = forms.ModelChoiceField(
        label=gettext_lazy("branch"),
        queryset=Branch.objects.all(),
        to_field_name="code",
        required=False,
        empty_label=gettext_lazy("Any"),
        widget=UnfoldAdminSelectWidget,
    )
    language = forms.CharField(
        label=gettext_lazy("language"), required=False, max_length=12, widget=UnfoldAdminTextInputWidget
    )
    category = category_field(label=gettext_lazy("suggested category"))
    reason = forms.ChoiceField(
        label=gettext_lazy("reason"),
        required=False,
        choices=[_ANY, *ReviewItem.REASONS.items()],
        widget=UnfoldAdminSelectWidget,
    )


class VerdictForm(forms.Form):
    """A verdict; the category is given by notation, so that it can be typed without JavaScript."""

    suggestion = forms.IntegerField()
    verdict = forms.ChoiceField(choices=Review.Verdict.choices)
    category = forms.CharField(max_length=241, required=False)
    note = forms.CharField(max_length=200, required=False)

    def clean(self) -> dict[str, Any]:
        data = dict(self.cleaned_data)
        notation = data.pop("category", "")
        # With another verdict, the category was typed but not chosen.
        is_correction = notation and data.get("verdict") == _VERDICTS.CORRECT
        return data | {"category": _category_by_notation(notation) if is_correction else None}


def _category_by_notation(text: str) -> Category:
    """Return the category with a notation, or with a scheme and a notation such as ``ddc/530``."""
    scheme, _slash, notation = text.partition("/")
    categories = list(Category.objects.filter(notation=text)[:2])
    categories = categories or list(Category.objects.filter(scheme=scheme, notation=notation))
    if not categories:
        raise forms.ValidationError(_("Category “%s” does not exist. Choose one from the list.") % text)
    if len(categories) > 1:
        raise forms.ValidationError(
            _("Several schemes contain “%s”. Add the scheme in front, for example ddc/530.") % text
        )
    return categories[0]


def require_reviewer(request: HttpRequest) -> None:
    """Refuse users who may not review."""
    if not request.user.has_perms(REVIEW_BOOKS):
        raise PermissionDenied


def queue_page(model_admin: admin.ModelAdmin, request: HttpRequest) -> HttpResponse:
    """Show the next books; a POST records a verdict or undoes the last one, and redirects here."""
    require_reviewer(request)
    in_background = BACKGROUND_HEADER in request.headers
    if request.method == "POST":
        _handle_post(model_admin, request)
        if not in_background:
            return HttpResponseRedirect(request.get_full_path())
    form = ReviewFilterForm(request.GET, auto_id="filter_%s")
    filters = ReviewFilters(**form.selected())
    reviewer = signed_in(request.user)
    items = next_for(reviewer=reviewer, now=timezone.now(), filters=filters, n=1 + _PRELOADED)
    context = {
        "remaining": waiting_items(filters=filters).count(),
        "books": _entries(items),
        "can_undo": Review.objects.filter(reviewer=reviewer, withdrawn_at=None).exists(),
        "is_filtered": filters != ReviewFilters(),
        "search_url": reverse("admin:classifier_review_categories"),
    }
    if in_background:
        response = render(request, "classifier/review_books.html", context)
    else:
        context |= {
            **model_admin.admin_site.each_context(request),
            "title": _("Review"),
            "opts": model_admin.opts,
            "filters": form,
            "media": form.media,
        }
        response = render(request, "classifier/review.html", context)
    # The browser's Back button must not show a book that was reviewed or is assigned to someone else.
    response["Cache-Control"] = "no-store"
    return response


def category_search(request: HttpRequest) -> JsonResponse:
    """Return the categories that match the search term."""
    require_reviewer(request)
    categories = find_categories(text=request.GET.get("term", ""), limit=_MAX_CATEGORIES)
    results = [
        {
            "id": f"{category.scheme}/{category.notation}",
            "text": str(category),
            "parents": _parent_labels(category),
        }
        for category in categories
    ]
    return JsonResponse({"results": results})


def _parent_labels(category: Category) -> str:
    labels: list[str] = []
    parent = category.parent
    while parent is not None and len(labels) < _MAX_PARENTS:
        labels.insert(0, parent.label or parent.notation)
        # The query loads no more parents than these.
        parent = parent.parent if len(labels) < _MAX_PARENTS else None
    return " › ".join(labels)


def _entries(items: Sequence[ReviewItem]) -> list[dict[str, Any]]:
    """Return the contents of the page for each book, with one query for all of them where possible."""
    suggestions = [list(item.book.suggestions.all()) for item in items]
    first = [ranked[0] for ranked in suggestions if ranked]
    evidence_by_book = dict(
        zip((suggestion.book_id for suggestion in first), evidence.as_html(*first), strict=True)
    )
    from classifier.selectors.recommendations import similar_by_book  # loads numpy

    similar = similar_by_book(books=[item.book_id for item in items], limit=_SIMILAR_TITLES)
    return [
        {
            "item": item,
            "book": item.book,
            "text": highlight(item.book, evidence.evidence_of(ranked[0]) if ranked else None),
            "suggestions": ranked,
            "evidence": evidence_by_book.get(item.book_id, ""),
            "reasons": [ReviewItem.REASONS[name] for name in item.reasons],
            "similar": similar.get(item.book_id, []),
        }
        for item, ranked in zip(items, suggestions, strict=True)
    ]


def _handle_post(model_admin: admin.ModelAdmin, request: HttpRequest) -> None:
    now, reviewer = timezone.now(), signed_in(request.user)
    try:
        if request.POST.get("verdict") == "undo":
            review = undo_last(reviewer=reviewer, now=now)
            text = _("Undone: %s.") % review
        else:
            form = VerdictForm(_verdict_data(request))
            if not form.is_valid():
                model_admin.message_user(request, " ".join(_form_errors(form)), messages.ERROR)
                return
            review = record_verdict(**form.cleaned_data, reviewer=reviewer, now=now)
            text = f"{review}." if review.category is None else f"{review} → {review.category}."
    except LibraryError as error:
        model_admin.message_user(request, error.message, messages.ERROR)
    else:
        model_admin.log_change(request, review.book, text)
        model_admin.message_user(request, text, messages.SUCCESS)


def _form_errors(form: forms.Form) -> list[str]:
    return [
        f"{error}" if field == "__all__" else f"{field}: {error}"
        for field, errors in form.errors.items()
        for error in errors
    ]


def _verdict_data(request: HttpRequest) -> dict[str, Any]:
    """Return the submitted data; the button of the second or third suggestion corrects to that category."""
    data = request.POST.dict()
    if "other" in data:
        data |= {"verdict": _VERDICTS.CORRECT.value, "category": data["other"]}
    return data
