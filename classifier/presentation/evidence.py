"""The evidence of a suggestion, as a librarian reads it."""

from collections.abc import Sequence
from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from classifier.models import Misfiled, Suggestion
from classifier.selectors.categories import categories_of
from library.catalogue.models import Book, Category

_MODALITIES = {
    "text": _("text"),
    "cover": _("cover"),
    "loans": _("loans"),
    "audio": _("recording"),
    "sentence": _("meaning of the text"),
}

#: What a category is called by.
_OF_CATEGORY = ("notation", "label_en", "label_zh")


def as_html(suggestion: Suggestion | Misfiled) -> SafeString:
    """Return the evidence of a suggestion as a few short lists; of one from before there was any, nothing."""
    return all_as_html([suggestion])[0]


def all_as_html(suggestions: Sequence[Suggestion | Misfiled]) -> list[SafeString]:
    """Return the evidence of each suggestion; the titles and categories of all are read at once."""
    told = [suggestion.evidence for suggestion in suggestions if suggestion.evidence]
    books, categories = _books(told), _categories(told)
    return [
        render_to_string("classifier/evidence.html", _context(suggestion.evidence, books, categories))
        if suggestion.evidence
        else SafeString("")
        for suggestion in suggestions
    ]


def _context(
    evidence: dict[str, Any], books: dict[str, Book], categories: dict[str, Category]
) -> dict[str, Any]:
    largest = max(map(abs, evidence["shares"].values()), default=0) or 1
    return {
        "decision": evidence["decision"],
        "baseline": evidence["baseline"],
        "shares": [
            {
                "modality": modality(name),
                "share": share,
                "side": "for" if share > 0 else "against",
                "x": min(0, share / largest),
                "width": abs(share / largest),
            }
            for name, share in evidence["shares"].items()
        ],
        "terms": [
            {
                "heading": heading,
                "side": side,
                "words": [(word, _field(field)) for field, word, _gain in evidence["terms"][side]],
            }
            for side, heading in (("for", _("Words for it")), ("against", _("Words against it")))
        ],
        "disagree": evidence["disagree"],
        "left_out": [modality(name) for name in evidence["left_out"]],
        "says": [
            {"modality": modality(name), "category": categories.get(key, key), "percent": f"{sure:.0%}"}
            for name, (key, sure) in evidence["says"].items()
        ],
        "nearest": [
            {
                "modality": modality(name),
                "books": [
                    {"book": books.get(number), "number": number, "category": categories.get(key, key)}
                    for number, key, _likeness in near
                ],
            }
            for name, near in evidence["nearest"].items()
            if near
        ],
        "agree": f"{evidence['borrowed_with']['agree']:.0%}",
        "borrowed_with": [
            {"book": books.get(number), "number": number}
            for number, _weight in evidence["borrowed_with"]["books"]
        ],
    }


def modality(name: str) -> Any:
    """Return what people call a modality; of one without a word for people, its name."""
    return _MODALITIES.get(name, name)


def _field(name: str) -> Any:
    field: Any = Book._meta.get_field(name)
    return field.verbose_name


def _books(told: Sequence[dict[str, Any]]) -> dict[str, Book]:
    """Return the books that are named, by control number; those deleted since are missing."""
    numbers = {number for each in told for near in each["nearest"].values() for number, *_rest in near}
    numbers |= {number for each in told for number, _weight in each["borrowed_with"]["books"]}
    found = Book.objects.filter(control_number__in=numbers).select_related("category")
    named = found.only("control_number", "title", "cover", *(f"category__{name}" for name in _OF_CATEGORY))
    return {book.control_number: book for book in named} if numbers else {}


def _categories(told: Sequence[dict[str, Any]]) -> dict[str, Category]:
    """Return the categories that are named, by key; those deleted since are missing."""
    keys = {key for each in told for key, _probability in each["says"].values()}
    keys |= {key for each in told for near in each["nearest"].values() for _number, key, _likeness in near}
    return categories_of(keys)
