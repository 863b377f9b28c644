"""The evidence of a suggestion, as a librarian reads it."""

from typing import Any

from django.template.loader import render_to_string
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from classifier.category_selectors import categories_of
from classifier.models import Misfiled, Suggestion
from library.catalogue.models import Book, Category

_MODALITIES = {
    "text": _("text"),
    "cover": _("cover"),
    "loans": _("loans"),
    "audio": _("recording"),
    "sentence": _("meaning of the text"),
}


def as_html(suggestion: Suggestion | Misfiled) -> SafeString:
    """Return the evidence of a suggestion as a few short lists; of one from before there was any, nothing."""
    evidence = suggestion.evidence
    if not evidence:
        return SafeString("")
    books, categories = _books(evidence), _categories(evidence)
    largest = max(map(abs, evidence["shares"].values()), default=0) or 1
    context = {
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
            {"heading": heading, "words": [(word, _field(field)) for field, word, _gain in terms]}
            for heading, terms in (
                (_("Words for it"), evidence["terms"]["for"]),
                (_("Words against it"), evidence["terms"]["against"]),
            )
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
                "shown": name == "cover",
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
    return render_to_string("classifier/evidence.html", context)


def modality(name: str) -> Any:
    """Return what people call a modality; of one without a word for people, its name."""
    return _MODALITIES.get(name, name)


def _field(name: str) -> Any:
    field: Any = Book._meta.get_field(name)
    return field.verbose_name


def _books(evidence: dict[str, Any]) -> dict[str, Book]:
    """Return the books that are named, by control number; those deleted since are missing."""
    numbers = {number for near in evidence["nearest"].values() for number, *_rest in near}
    numbers |= {number for number, _weight in evidence["borrowed_with"]["books"]}
    found = Book.objects.filter(control_number__in=numbers).only("control_number", "title", "cover")
    return {book.control_number: book for book in found} if numbers else {}


def _categories(evidence: dict[str, Any]) -> dict[str, Category]:
    """Return the categories that are named, by key; those deleted since are missing."""
    keys = {key for key, _probability in evidence["says"].values()}
    keys |= {key for near in evidence["nearest"].values() for _number, key, _likeness in near}
    return categories_of(keys)
