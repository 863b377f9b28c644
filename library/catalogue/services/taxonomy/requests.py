"""Requests to change the classification scheme; categories are primary keys."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from library.errors import ConflictError, LibraryError


class TaxonomyError(LibraryError):
    """The requested change of the classification scheme is invalid."""


class TaxonomyConflictError(ConflictError):
    """The classification scheme does not allow this change, or its undoing, in its present state."""


class BooksTo(models.TextChoices):
    """The destination of a retired category's books."""

    PARENT = "parent", _("To the parent category")
    UNFILED = "unfiled", _("To no category")


class Rule(models.TextChoices):
    """The rule that assigns the books of a split category."""

    BOOKS = "books", _("Books I list")
    WORDS = "words", _("Books with certain words in the title or description")
    NEAREST = "nearest", _("Books similar in text to those I list")


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """Merge categories into another, which takes over their books."""

    sources: tuple[int, ...]
    into: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A category that takes books of a split one; created below it unless its notation exists.

    Attributes
    ----------
    label_en, label_zh
        Used for a new category.
    books
        Control numbers. With `Rule.BOOKS`: all books to assign. With `Rule.NEAREST`: examples.
    words
        With `Rule.WORDS`: a book goes to the child most of whose words it contains.
    """

    notation: str
    label_en: str = ""
    label_zh: str = ""
    books: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Split a category: assign its books to narrower ones by a `Rule`. Undecided books stay."""

    category: int
    children: tuple[Child, ...]
    rule: str = Rule.BOOKS.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Retire:
    """Retire a category; its books go where `BooksTo` says."""

    category: int
    books_to: str = BooksTo.PARENT.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """Move a category with its descendants below another; a `parent` of None makes it a top category."""

    category: int
    parent: int | None


TaxonomyChangeRequest = Merge | Split | Retire | Move
TextClassifier = Callable[[Sequence[str], Sequence[int]], Sequence[int]]
"""``classifier(texts, labels)`` returns the child of each text, or -1 if undecided.

``labels`` gives the children that are known already, which it returns unchanged; -1: unknown. `Rule.NEAREST`
uses it.
"""


def as_parameters(change_request: TaxonomyChangeRequest) -> dict[str, Any]:
    """Return a request as JSON-serialisable values."""
    return asdict(change_request)


def categories_named_in(parameters: Mapping[str, Any]) -> set[int]:
    """Return the keys of the categories that stored parameters name, except the children of a split."""
    named = {parameters.get(name) for name in ("into", "category", "parent")}
    return {key for key in [*named, *parameters.get("sources", ())] if key is not None}
