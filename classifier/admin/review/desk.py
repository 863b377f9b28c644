"""The page on which a librarian reviews book after book without a mouse."""

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

from classifier.admin.filtering import FilterForm, category_field
from classifier.models import Review, ReviewItem
from classifier.presentation import evidence
from classifier.presentation.highlighting import marked
from classifier.selectors.reviews import ReviewFilters, categories_like, waiting_items
from classifier.services.review.queue import next_for
from classifier.services.review.verdicts import judge, undo_last
from library.admin_site.users import signed_in
from library.catalogue.models import Branch, Category
from library.errors import LibraryError

_AHEAD = 2
"""Books that the page holds behind the one it shows, so that the next is there at once."""
_SIMILAR = 5
_FOUND = 12
_ANY = ("", gettext_lazy("any"))
_VERDICTS = Review.Verdict
IN_BACKGROUND = "X-Requested-With"
"""Header of what the page's script sends; it is answered with the books alone."""


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
    """An answer; a category is named by its notation, so that it can be typed where no script helps."""

    suggestion = forms.IntegerField()
    verdict = forms.ChoiceField(choices=Review.Verdict.choices)
    category = forms.CharField(max_length=241, required=False)
    note = forms.CharField(max_length=200, required=False)

    def clean(self) -> dict[str, Any]:
        given = dict(self.cleaned_data)
        wanted = given.pop("category", "")
        # With another verdict it was looked for, and not taken.
        is_named = wanted and given.get("verdict") == _VERDICTS.CORRECT
        return given | {"category": _named(wanted) if is_named else None}


def _named(text: str) -> Category:
    """Return the category with a notation, or with a scheme and a notation as in ``ddc/530``."""
    scheme, _slash, notation = text.partition("/")
    found = list(Category.objects.filter(notation=text)[:2])
    found = found or list(Category.objects.filter(scheme=scheme, notation=notation))
    if not found:
        raise forms.ValidationError(_("There is no category “%s”. Choose one of the list.") % text)
    if len(found) > 1:
        raise forms.ValidationError(
            _("Several schemes have “%s”. Write the scheme before it: ddc/530.") % text
        )
    return found[0]


def refuse_unless_reviewer(request: HttpRequest) -> None:
    """A review files books, so the book's permission counts too."""
    if not request.user.has_perms(["classifier.add_review", "catalogue.change_book"]):
        raise PermissionDenied


def desk_page(model_admin: admin.ModelAdmin, request: HttpRequest) -> HttpResponse:
    """Show the next books; a POST judges one, or undoes, and leads here again."""
    refuse_unless_reviewer(request)
    in_background = IN_BACKGROUND in request.headers
    if request.method == "POST":
        _act(model_admin, request)
        if not in_background:
            return HttpResponseRedirect(request.get_full_path())
    form = ReviewFilterForm(request.GET, auto_id="filter_%s")
    filters = ReviewFilters(**form.chosen())
    reviewer = signed_in(request.user)
    items = next_for(reviewer=reviewer, now=timezone.now(), filters=filters, n=1 + _AHEAD)
    context = {
        "left": waiting_items(filters=filters).count(),
        "books": _shown(items),
        "can_undo": Review.objects.filter(reviewer=reviewer, withdrawn_at=None).exists(),
        "is_filtered": filters != ReviewFilters(),
        "search_url": reverse("admin:classifier_review_categories"),
    }
    if in_background:
        answer = render(request, "classifier/review_books.html", context)
    else:
        context |= {
            **model_admin.admin_site.each_context(request),
            "title": _("Review"),
            "opts": model_admin.opts,
            "filters": form,
            "media": form.media,
        }
        answer = render(request, "classifier/review.html", context)
    # Going back must not show a book that was judged, or is another's.
    answer["Cache-Control"] = "no-store"
    return answer


def found_categories(request: HttpRequest) -> JsonResponse:
    """Answer a search for a category with what is shown and what is sent."""
    refuse_unless_reviewer(request)
    found = categories_like(text=request.GET.get("term", ""), most=_FOUND)
    rows = [
        {"id": f"{category.scheme}/{category.notation}", "text": str(category), "above": _above(category)}
        for category in found
    ]
    return JsonResponse({"results": rows})


def _above(category: Category) -> str:
    labels: list[str] = []
    parent = category.parent
    while parent is not None and len(labels) < 3:
        labels.insert(0, parent.label or parent.notation)
        parent = parent.parent if len(labels) < 3 else None
    return " › ".join(labels)


def _shown(items: Sequence[ReviewItem]) -> list[dict[str, Any]]:
    """Return what the page shows of each book; what all of them need is read at once."""
    suggestions = [list(item.book.suggestions.all()) for item in items]
    first = [each[0] for each in suggestions if each]
    why = dict(zip((each.book_id for each in first), evidence.all_as_html(first), strict=True))
    from classifier.selectors.recommendations import similar_to_each  # loads numpy

    similar = similar_to_each(books=[item.book_id for item in items], most=_SIMILAR)
    return [
        {
            "item": item,
            "book": item.book,
            "text": marked(item.book, each[0].evidence if each else {}),
            "suggestions": each,
            "evidence": why.get(item.book_id, ""),
            "waits_for": [ReviewItem.REASONS[name] for name in item.reasons],
            "similar": similar.get(item.book_id, []),
        }
        for item, each in zip(items, suggestions, strict=True)
    ]


def _act(model_admin: admin.ModelAdmin, request: HttpRequest) -> None:
    now, reviewer = timezone.now(), signed_in(request.user)
    try:
        if request.POST.get("verdict") == "undo":
            review = undo_last(reviewer=reviewer, now=now)
            said = _("Undone: %s.") % review
        else:
            form = VerdictForm(_with_other(request))
            if not form.is_valid():
                model_admin.message_user(request, " ".join(map(str, _errors(form))), messages.ERROR)
                return
            review = judge(**form.cleaned_data, reviewer=reviewer, now=now)
            said = f"{review}." if review.category is None else f"{review} → {review.category}."
    except LibraryError as error:
        model_admin.message_user(request, error.message, messages.ERROR)
    else:
        model_admin.log_change(request, review.book, said)
        model_admin.message_user(request, said, messages.SUCCESS)


def _errors(form: forms.Form) -> list[str]:
    return [
        f"{error}" if field == "__all__" else f"{field}: {error}"
        for field, of in form.errors.items()
        for error in of
    ]


def _with_other(request: HttpRequest) -> dict[str, Any]:
    """Return what was sent; the button of the second or third suggestion is a correction to that."""
    sent = request.POST.dict()
    if "other" in sent:
        sent |= {"verdict": _VERDICTS.CORRECT.value, "category": sent["other"]}
    return sent
