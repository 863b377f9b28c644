"""What may be asked of the classification scheme, as a person says it; categories are primary keys."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from django.db import models
from django.utils.translation import gettext_lazy as _

from library.errors import ConflictError, LibraryError


class TaxonomyError(LibraryError):
    """A change of the classification scheme that cannot be made as it was asked for."""


class TaxonomyConflictError(ConflictError):
    """A change of the classification scheme that cannot be made, or undone, as things stand now."""


class BooksTo(models.TextChoices):
    """Where the books of a retired category go."""

    PARENT = "parent", _("to the category above")
    UNFILED = "unfiled", _("to no category")


class Rule(models.TextChoices):
    """How the books of a split category find their new one."""

    BOOKS = "books", _("those I list")
    WORDS = "words", _("by words in title and description")
    NEAREST = "nearest", _("like the books I list, judged by their texts")


@dataclass(frozen=True, slots=True, kw_only=True)
class Merge:
    """Categories into another: what was filed under them is filed under that one.

    Attributes
    ----------
    sources : tuple of int
    into : int
    """

    sources: tuple[int, ...]
    into: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """A category that books of a split one go to; made below it where there is none of that notation.

    Attributes
    ----------
    notation, label_en, label_zh : str
        The labels are for a new one.
    books : tuple of str
        Control numbers: with `Rule.BOOKS` all that go there, with `Rule.NEAREST` examples.
    words : tuple of str
        With `Rule.WORDS`: a book goes where most of its category's words stand in it.
    """

    notation: str
    label_en: str = ""
    label_zh: str = ""
    books: tuple[str, ...] = ()
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Books of a category into narrower ones; what the rule does not decide stays where it is.

    Attributes
    ----------
    category : int
    children : tuple of Child
    rule : str
        One of `Rule`.
    """

    category: int
    children: tuple[Child, ...]
    rule: str = Rule.BOOKS.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Retire:
    """A category given up.

    Attributes
    ----------
    category : int
    books_to : str
        One of `BooksTo`.
    """

    category: int
    books_to: str = BooksTo.PARENT.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A category below another, with all below it; None is the top.

    Attributes
    ----------
    category : int
    parent : int or None
    """

    category: int
    parent: int | None


Wish = Merge | Split | Retire | Move
Opinion = Callable[[Sequence[str], Sequence[int]], Sequence[int]]
"""``opinion(texts, told)``: the child of each text; of those that `told` knows (0 and up), that one; -1 where
it cannot say. Asked for `Rule.NEAREST`."""


def as_parameters(wish: Wish) -> dict[str, Any]:
    """Return a wish as JSON-serialisable values."""
    return asdict(wish)


def named_in(parameters: Mapping[str, Any]) -> set[int]:
    """Return the keys of the categories that kept parameters name, but for the children of a split."""
    found = {parameters.get(name) for name in ("into", "category", "parent")}
    return {key for key in [*found, *parameters.get("sources", ())] if key is not None}
