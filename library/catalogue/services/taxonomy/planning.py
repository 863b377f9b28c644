"""What a change of the classification scheme would do, row by row; nothing is written here.

The preview shows a plan and the change carries one out, so what is done is what was shown.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from library.catalogue.models import Book, Category, TaxonomyChange
from library.catalogue.services.taxonomy.requests import (
    BooksTo,
    Child,
    Merge,
    Move,
    Opinion,
    Retire,
    Split,
    TaxonomyConflictError,
    TaxonomyError,
    Wish,
)
from library.catalogue.services.taxonomy.splitting import assigned, checked_children

Kind = TaxonomyChange.Kind
_NOWHERE = "–"
Target = int | str | None
"""A category: its key, or its notation while it is yet to be made; None is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refiling:
    """One book, from where to where."""

    book: int
    from_category: int
    from_source: str
    to: Target
    to_source: str


@dataclass(slots=True, kw_only=True)
class Plan:
    """What a change would do.

    Attributes
    ----------
    kind : str
    category : Category
        What it is about; of a merge, the one that stays.
    source, target : str
        From what to what, in names of categories.
    fields : dict of int to dict
        By category: the fields that change.
    new : list of Child
        Categories to be made.
    reopened : list of int
        Categories that an undone split had made, and that are made again.
    refilings : list of Refiling
    undecided : list of str
        Control numbers of the books that the rule of a split leaves where they are.
    """

    kind: Kind
    category: Category
    source: str
    target: str
    fields: dict[int, dict[str, Any]] = field(default_factory=dict)
    new: list[Child] = field(default_factory=list)
    reopened: list[int] = field(default_factory=list)
    refilings: list[Refiling] = field(default_factory=list)
    undecided: list[str] = field(default_factory=list)


def plan(*, wish: Wish, now: datetime, opinion: Opinion | None = None) -> Plan:
    """Say what a change would do.

    Parameters
    ----------
    wish : Merge, Split, Retire or Move
    now : datetime
    opinion : callable, optional
        Who is asked where a split says `Rule.NEAREST`.

    Raises
    ------
    TaxonomyError
        If what is asked for cannot be.
    TaxonomyConflictError
        If a category that it names is retired.
    """
    if isinstance(wish, Merge):
        return _merge(wish, now)
    if isinstance(wish, Retire):
        return _retire(wish, now)
    if isinstance(wish, Move):
        return _move(wish)
    return _split(wish, opinion)


def parents() -> dict[int, int | None]:
    """Return what stands above each category."""
    return dict(Category.objects.values_list("pk", "parent_id"))


def above(category: int | None, tree: Mapping[int, int | None]) -> list[int]:
    """Return a category and all above it, the nearest first; in a circle, each once."""
    path: list[int] = []
    while category is not None and category not in path:
        path.append(category)
        category = tree.get(category)
    return path


def open_category(pk: int) -> Category:
    """Return a category that can be chosen.

    Raises
    ------
    TaxonomyError
        If it is not there.
    TaxonomyConflictError
        If it is retired.
    """
    category = Category.objects.filter(pk=pk).select_related("parent").first()
    if category is None:
        raise TaxonomyError(_("There is no category %s. Reload the page.") % pk, category=pk)
    if category.retired_at:
        raise TaxonomyConflictError(
            _("%(category)s was retired on %(day)s. Choose another, or undo that change first.")
            % {"category": category, "day": f"{category.retired_at:%Y-%m-%d}"},
            category=pk,
        )
    return category


def _merge(wish: Merge, now: datetime) -> Plan:
    into = open_category(wish.into)
    sources = list(dict.fromkeys(wish.sources))
    if not sources:
        raise TaxonomyError(_("Name at least one category to merge into %s.") % into)
    if into.pk in sources:
        raise TaxonomyError(_("%s cannot be merged into itself. Choose another target.") % into)
    names = [str(open_category(source)) for source in sources]
    made = Plan(kind=Kind.MERGE, category=into, source=", ".join(names), target=str(into))
    tree = parents()
    if over := [pk for pk in above(into.pk, tree) if pk in sources]:
        # It takes the place of the highest of those above it that go.
        made.fields[into.pk] = {"parent_id": tree[over[-1]]}
    for child in _open_children(sources):
        if child not in sources and child != into.pk:
            made.fields[child] = {"parent_id": into.pk}
    for source in sources:
        made.fields[source] = {"retired_at": now, "replaced_by_id": into.pk}
    made.refilings = _all_books(sources, into.pk)
    return made


def _retire(wish: Retire, now: datetime) -> Plan:
    category = open_category(wish.category)
    if wish.books_to not in BooksTo.values:
        raise TaxonomyError(_("There is no place “%s” for the books.") % wish.books_to)
    to = category.parent_id if wish.books_to == BooksTo.PARENT else None
    if wish.books_to == BooksTo.PARENT and to is None:
        raise TaxonomyError(
            _("%s has no category above it. Let its books go to no category, or merge it into another.")
            % category
        )
    target = str(category.parent) if to is not None else _NOWHERE
    made = Plan(kind=Kind.RETIRE, category=category, source=str(category), target=target)
    for child in _open_children([category.pk]):
        made.fields[child] = {"parent_id": category.parent_id}
    made.fields[category.pk] = {"retired_at": now, "replaced_by_id": to}
    made.refilings = _all_books([category.pk], to)
    return made


def _move(wish: Move) -> Plan:
    category = open_category(wish.category)
    parent = open_category(wish.parent) if wish.parent is not None else None
    if wish.parent == category.parent_id:
        raise TaxonomyError(_("%s stands there already.") % category)
    if category.pk in above(wish.parent, parents()):
        raise TaxonomyError(
            _("%(category)s would stand above itself: %(parent)s is below it. Choose another place.")
            % {"category": category, "parent": parent}
        )
    return Plan(
        kind=Kind.MOVE,
        category=category,
        source=f"{category}: {category.parent or _NOWHERE}",
        target=str(parent or _NOWHERE),
        fields={category.pk: {"parent_id": wish.parent}},
    )


def _split(wish: Split, opinion: Opinion | None) -> Plan:
    category = open_category(wish.category)
    there = checked_children(wish, category)
    target = ", ".join(child.notation for child in wish.children)
    made = Plan(kind=Kind.SPLIT, category=category, source=str(category), target=target)
    targets: list[Target] = []
    for child in wish.children:
        known = there.get(child.notation)
        targets.append(known.pk if known else child.notation)
        if known is None:
            made.new.append(child)
        elif known.retired_at:
            made.reopened.append(known.pk)
            labels = {name: getattr(child, name) or getattr(known, name) for name in ("label_en", "label_zh")}
            made.fields[known.pk] = {
                "retired_at": None, "replaced_by_id": None, "parent_id": category.pk, **labels
            }  # fmt: skip
    for book, number, source in assigned(wish, category, opinion):
        if number is None:
            made.undecided.append(book.control_number)
        else:
            made.refilings.append(
                Refiling(
                    book=book.pk,
                    from_category=category.pk,
                    from_source=book.category_source,
                    to=targets[number],
                    to_source=source,
                )
            )
    return made


def _open_children(categories: Iterable[int]) -> list[int]:
    children = Category.objects.filter(parent__in=categories, retired_at=None).order_by("pk")
    return list(children.values_list("pk", flat=True))


def _all_books(categories: Iterable[int], to: int | None) -> list[Refiling]:
    rows = Book.objects.filter(category__in=categories).order_by("pk")
    return [
        # A person says that the one is the other: what was trusted before still is.
        Refiling(
            book=book,
            from_category=category,
            from_source=source,
            to=to,
            to_source=source if to is not None else Book.CategorySource.NONE.value,
        )
        for book, category, source in rows.values_list("pk", "category_id", "category_source").iterator()
    ]
