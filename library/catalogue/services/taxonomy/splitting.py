"""Assign the books of a split category to narrower ones."""

import re
from collections.abc import Iterator, Sequence

from django.utils.translation import gettext as _

from library.catalogue.models import Book, Category, TaxonomyChange
from library.catalogue.services.taxonomy.requests import (
    Child,
    Rule,
    Split,
    TaxonomyConflictError,
    TaxonomyError,
    TextClassifier,
)
from library.tabular import max_length

Assigned = tuple[Book, int | None, str]
"""A book, the index of its child (None: undecided), and the source of its new category."""
_MAX_NUMBERS_SHOWN = 5
"""Control numbers in an error message: more would hide the error."""
_CJK = re.compile(r"[\u3400-\u9fff]")


def validate_children(change_request: Split, category: Category) -> dict[str, Category]:
    """Return the children that exist already, by notation.

    A retired one is allowed only if it was created by a split that was undone; it can be reopened.

    Raises
    ------
    TaxonomyError, TaxonomyConflictError
        If there are no children, or one is repeated or invalid.
    """
    if change_request.rule not in Rule.values:
        raise TaxonomyError(_("“%s” is not a valid split rule.") % change_request.rule)
    notations = [child.notation for child in change_request.children]
    min_children = 2 if change_request.rule == Rule.NEAREST else 1
    if len(notations) < min_children:
        raise TaxonomyError(
            _("Too few target categories for the split (minimum %d). Add another one.") % min_children
        )
    for number, notation in enumerate(notations, start=1):
        if not notation or notation != notation.strip() or len(notation) > max_length(Category, "notation"):
            raise TaxonomyError(_("New category %d needs a notation of 1 to 200 characters.") % number)
        if notation == category.notation or notations.count(notation) > 1:
            raise TaxonomyError(
                _(
                    "The notation “%s” is used more than once. Give each new category its own notation; "
                    "the original category keeps its notation."
                )
                % notation
            )
    existing = {
        child.notation: child
        for child in Category.objects.filter(scheme=category.scheme, notation__in=notations)
    }
    undone = TaxonomyChange.objects.filter(kind=TaxonomyChange.Kind.SPLIT, undone_at__isnull=False)
    reopenable = {key for keys in undone.values_list("created_categories", flat=True) for key in keys}
    for child in existing.values():
        # A later merge would have retired it at another time than the undoing of its split.
        if child.retired_at and not (
            child.pk in reopenable and undone.filter(undone_at=child.retired_at).exists()
        ):
            raise TaxonomyConflictError(
                _(
                    "%(category)s was retired on %(day)s. Choose another category, or undo the category "
                    "change first."
                )
                % {"category": child, "day": f"{child.retired_at:%Y-%m-%d}"}
            )
    return existing


def assign_books(
    change_request: Split, category: Category, text_classifier: TextClassifier | None
) -> Iterator[Assigned]:
    """Yield every book of the category with the child that the rule assigns.

    Books that a person listed get the source "librarian". Books assigned by words keep their source. Books
    assigned by text similarity get the source "model", because the assignment is a guess: the model does not
    learn from it.

    Raises
    ------
    TaxonomyError
        If the request lacks what the rule needs.
    """
    books = list(
        Book.objects.filter(category=category)
        .order_by("control_number")
        .only("control_number", "title", "subtitle", "description", "category_source")
    )
    if change_request.rule == Rule.WORDS:
        yield from _by_words(change_request.children, books)
        return
    listed = _listed(change_request.children, {book.control_number for book in books}, category)
    labels = [listed.get(book.control_number, -1) for book in books]
    guessed: Sequence[int] = labels
    if change_request.rule == Rule.NEAREST:
        if text_classifier is None:
            raise TaxonomyError(_("No text classifier is available. Choose another rule."))
        guessed = text_classifier([book_text(book) for book in books], labels)
    for book, label, child in zip(books, labels, guessed, strict=True):
        if label >= 0:
            yield book, label, Book.CategorySource.LIBRARIAN.value
        elif child >= 0:
            yield book, child, Book.CategorySource.MODEL.value
        else:
            yield book, None, book.category_source


def book_text(book: Book) -> str:
    """Return the text of a book that the rules read."""
    return "\n".join(filter(None, [book.title, book.subtitle, book.description]))


def _listed(children: Sequence[Child], in_category: set[str], category: Category) -> dict[str, int]:
    listed: dict[str, int] = {}
    for number, child in enumerate(children):
        if not child.books:
            raise TaxonomyError(_("List at least one book for %s.") % child.notation)
        if foreign := [book for book in child.books if book not in in_category]:
            raise TaxonomyError(
                _("Books not filed under %(category)s: %(books)s. Remove them from the list of %(child)s.")
                % {"category": category, "books": _listing(foreign), "child": child.notation}
            )
        if twice := [book for book in child.books if book in listed and listed[book] != number]:
            raise TaxonomyError(
                _("Books listed for more than one category: %s. List each book for one category only.")
                % _listing(twice)
            )
        listed |= dict.fromkeys(child.books, number)
    return listed


def _by_words(children: Sequence[Child], books: Sequence[Book]) -> Iterator[Assigned]:
    patterns = []
    for child in children:
        if not any(word.strip() for word in child.words):
            raise TaxonomyError(_("Enter at least one word for %s.") % child.notation)
        patterns.append([_pattern(word.strip().casefold()) for word in child.words if word.strip()])
    for book in books:
        text = book_text(book).casefold()
        scores = [sum(bool(pattern.search(text)) for pattern in of_child) for of_child in patterns]
        best = max(scores)
        decided = best and scores.count(best) == 1  # a tie decides nothing
        yield book, scores.index(best) if decided else None, book.category_source


def _pattern(word: str) -> re.Pattern[str]:
    """Match a whole word; in Chinese, which has no spaces between words, match anywhere."""
    return re.compile(re.escape(word) if _CJK.search(word) else rf"(?<!\w){re.escape(word)}(?!\w)")


def _listing(numbers: Sequence[str]) -> str:
    more = len(numbers) - _MAX_NUMBERS_SHOWN
    return ", ".join(numbers[:_MAX_NUMBERS_SHOWN]) + (_(" and %d more") % more if more > 0 else "")
