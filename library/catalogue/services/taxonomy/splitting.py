"""Which of the narrower categories each book of a split one goes to."""

import re
from collections.abc import Iterator, Sequence

from django.utils.translation import gettext as _

from library.catalogue.models import Book, Category, TaxonomyChange
from library.catalogue.services.taxonomy.requests import (
    Child,
    Opinion,
    Rule,
    Split,
    TaxonomyConflictError,
    TaxonomyError,
)
from library.tabular import longest

Assigned = tuple[Book, int | None, str]
"""A book, the number of its child (None: undecided), and the source of its category then."""
_SHOWN = 5
"""Control numbers named in a sentence: the rest would hide what is wrong."""
_CJK = re.compile(r"[\u3400-\u9fff]")


def checked_children(wish: Split, category: Category) -> dict[str, Category]:
    """Return those of the children that are there already, by notation.

    One that is retired is among them only if a split made it that was undone: it may be made again.

    Raises
    ------
    TaxonomyError, TaxonomyConflictError
        If the children are none, come twice, or cannot be.
    """
    if wish.rule not in Rule.values:
        raise TaxonomyError(_("There is no rule “%s” to split by.") % wish.rule)
    notations = [child.notation for child in wish.children]
    least = 2 if wish.rule == Rule.NEAREST else 1
    if len(notations) < least:
        raise TaxonomyError(_("Name at least %d categories to split into.") % least)
    for number, notation in enumerate(notations, start=1):
        if not notation or notation != notation.strip() or len(notation) > longest(Category, "notation"):
            raise TaxonomyError(_("New category %d needs a notation of 1 to 200 characters.") % number)
        if notation == category.notation or notations.count(notation) > 1:
            raise TaxonomyError(
                _("The notation “%s” comes twice. What stays behind keeps the old one.") % notation
            )
    there = {
        one.notation: one for one in Category.objects.filter(scheme=category.scheme, notation__in=notations)
    }
    undone = TaxonomyChange.objects.filter(kind=TaxonomyChange.Kind.SPLIT, undone_at__isnull=False)
    made_before = {key for made in undone.values_list("made", flat=True) for key in made}
    for one in there.values():
        # One that was merged away since says so by another day than its split's undoing.
        if one.retired_at and not (
            one.pk in made_before and undone.filter(undone_at=one.retired_at).exists()
        ):
            raise TaxonomyConflictError(
                _("%(category)s was retired on %(day)s. Choose another, or undo that change first.")
                % {"category": one, "day": f"{one.retired_at:%Y-%m-%d}"}
            )
    return there


def assigned(wish: Split, category: Category, opinion: Opinion | None) -> Iterator[Assigned]:
    """Yield every book of the category with the child that the rule finds for it.

    A book that a person listed is filed by that person. What stands in for the words that a person chose is
    filed as before. What the texts of other books say is a guess, and is filed as one: the model does not
    learn from it.

    Raises
    ------
    TaxonomyError
        If the rule lacks what it goes by.
    """
    books = list(
        Book.objects.filter(category=category)
        .order_by("control_number")
        .only("control_number", "title", "subtitle", "description", "category_source")
    )
    if wish.rule == Rule.WORDS:
        yield from _by_words(wish.children, books)
        return
    listed = _listed(wish.children, {book.control_number for book in books}, category)
    told = [listed.get(book.control_number, -1) for book in books]
    guessed: Sequence[int] = told
    if wish.rule == Rule.NEAREST:
        if opinion is None:
            raise TaxonomyError(_("Nobody is there to judge the texts. Choose another rule."))
        guessed = opinion([text_of(book) for book in books], told)
    for book, known, child in zip(books, told, guessed, strict=True):
        if known >= 0:
            yield book, known, Book.CategorySource.LIBRARIAN.value
        elif child >= 0:
            yield book, child, Book.CategorySource.MODEL.value
        else:
            yield book, None, book.category_source


def text_of(book: Book) -> str:
    """Return what the rules read of a book."""
    return "\n".join(filter(None, [book.title, book.subtitle, book.description]))


def _listed(children: Sequence[Child], there: set[str], category: Category) -> dict[str, int]:
    listed: dict[str, int] = {}
    for number, child in enumerate(children):
        if not child.books:
            raise TaxonomyError(_("List at least one book for %s.") % child.notation)
        if foreign := [book for book in child.books if book not in there]:
            raise TaxonomyError(
                _("Not filed under %(category)s: %(books)s. Take them off the list of %(child)s.")
                % {"category": category, "books": _some(foreign), "child": child.notation}
            )
        if twice := [book for book in child.books if book in listed and listed[book] != number]:
            raise TaxonomyError(_("Listed for two categories: %s. Decide for one.") % _some(twice))
        listed |= dict.fromkeys(child.books, number)
    return listed


def _by_words(children: Sequence[Child], books: Sequence[Book]) -> Iterator[Assigned]:
    patterns = []
    for child in children:
        if not any(word.strip() for word in child.words):
            raise TaxonomyError(_("Give at least one word for %s.") % child.notation)
        patterns.append([_pattern(word.strip().casefold()) for word in child.words if word.strip()])
    for book in books:
        text = text_of(book).casefold()
        found = [sum(bool(pattern.search(text)) for pattern in of_child) for of_child in patterns]
        most = max(found)
        # As many words of two say nothing.
        decided = most and found.count(most) == 1
        yield book, found.index(most) if decided else None, book.category_source


def _pattern(word: str) -> re.Pattern[str]:
    """Match a word as a whole; in Chinese, where words stand together, anywhere."""
    return re.compile(re.escape(word) if _CJK.search(word) else rf"(?<!\w){re.escape(word)}(?!\w)")


def _some(numbers: Sequence[str]) -> str:
    more = len(numbers) - _SHOWN
    return ", ".join(numbers[:_SHOWN]) + (_(" and %d more") % more if more > 0 else "")
