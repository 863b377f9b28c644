"""Evidence of a suggestion as HTML."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from classifier.models import Misfiled, Suggestion
from classifier.pipeline.evidence import Evidence
from classifier.selectors.categories import categories_by_keys
from library.catalogue.models import Book, Category

_MODALITIES = {
    "text": _("text"),
    "cover": _("cover"),
    "loans": _("loans"),
    "audio": _("recording"),
    "sentence": _("text meaning"),
}

#: Category fields that a page shows.
_CATEGORY_FIELDS = ("notation", "label_en", "label_zh")


def as_html(*suggestions: Suggestion | Misfiled) -> list[SafeString]:
    """Return the evidence of each suggestion, empty if none is stored; two queries, books and categories."""
    stored = [evidence_of(suggestion) for suggestion in suggestions]
    present = [evidence for evidence in stored if evidence is not None]
    books, categories = _books(present), _categories(present)
    pages = []
    for evidence in stored:
        context = None if evidence is None else _context(evidence, books, categories)
        pages.append(render_to_string("classifier/evidence.html", context) if context else SafeString(""))
    return pages


def evidence_of(suggestion: Suggestion | Misfiled) -> Evidence | None:
    """Return the stored evidence of a suggestion, if any."""
    return Evidence.from_json(suggestion.evidence) if suggestion.evidence else None


def _context(
    evidence: Evidence, books: Mapping[str, Book], categories: Mapping[str, Category]
) -> dict[str, Any]:
    largest = max(map(abs, evidence.contributions.values()), default=0) or 1
    return {
        "score": evidence.score,
        "baseline": evidence.baseline,
        "contributions": [
            {
                "modality": modality(name),
                "value": value,
                "side": "for" if value > 0 else "against",
                "x": min(0, value / largest),
                "width": abs(value / largest),
            }
            for name, value in evidence.contributions.items()
        ],
        "terms": [
            {
                "heading": heading,
                "side": side,
                "words": [(term.term, _field(term.field)) for term in terms],
            }
            for side, heading, terms in (
                ("for", _("Words in favour"), evidence.terms_for),
                ("against", _("Words against"), evidence.terms_against),
            )
        ],
        "modalities_disagree": evidence.modalities_disagree,
        "excluded_modalities": [modality(name) for name in evidence.excluded_modalities],
        "modality_predictions": [
            {
                "modality": modality(name),
                "category": categories.get(prediction.category, prediction.category),
                "percent": f"{prediction.probability:.0%}",
            }
            for name, prediction in evidence.modality_predictions.items()
        ],
        "nearest_books": [
            {
                "modality": modality(name),
                "books": [
                    {
                        "book": books.get(near.book),
                        "number": near.book,
                        "category": categories.get(near.category, near.category),
                    }
                    for near in nearest
                ],
            }
            for name, nearest in evidence.nearest_books.items()
            if nearest
        ],
        "co_borrowed_share": f"{evidence.co_borrowed.share:.0%}",
        "co_borrowed": [
            {"book": books.get(title.book), "number": title.book} for title in evidence.co_borrowed.books
        ],
    }


def modality(name: str) -> Any:
    """Return the display name of a modality, or its identifier if it has none."""
    return _MODALITIES.get(name, name)


def _field(name: str) -> Any:
    field: Any = Book._meta.get_field(name)
    return field.verbose_name


def _books(stored: Sequence[Evidence]) -> dict[str, Book]:
    """Return the referenced books by control number, without those that no longer exist."""
    numbers = {
        near.book for evidence in stored for books in evidence.nearest_books.values() for near in books
    }
    numbers |= {title.book for evidence in stored for title in evidence.co_borrowed.books}
    rows = Book.objects.filter(control_number__in=numbers).select_related("category")
    fields = (f"category__{name}" for name in _CATEGORY_FIELDS)
    books = rows.only("control_number", "title", "cover", *fields)
    return {book.control_number: book for book in books} if numbers else {}


def _categories(stored: Sequence[Evidence]) -> dict[str, Category]:
    """Return the referenced categories by key, without those that no longer exist."""
    keys = {p.category for evidence in stored for p in evidence.modality_predictions.values()}
    keys |= {
        near.category for evidence in stored for books in evidence.nearest_books.values() for near in books
    }
    return categories_by_keys(keys)
