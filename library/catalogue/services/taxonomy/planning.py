"""Plan changes of the classification scheme, row by row, without writing.

The preview shows a plan and the change executes one, so the result is what was shown.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from library.catalogue.models import Book, Category, TaxonomyChange
from library.catalogue.selectors.categories import descendants
from library.catalogue.services.taxonomy.requests import (
    BooksTo,
    Child,
    Merge,
    Move,
    Retire,
    Split,
    TaxonomyChangeRequest,
    TaxonomyConflictError,
    TaxonomyError,
    TextClassifier,
)
from library.catalogue.services.taxonomy.splitting import assign_books, validate_children

Kind = TaxonomyChange.Kind
_NOWHERE = "–"
Target = int | str | None
"""A category: its key, or its notation if the change creates it; None: no category."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refiling:
    """The move of one book from a category to another."""

    book: int
    from_category: int
    from_source: str
    to: Target
    to_source: str


@dataclass(slots=True, kw_only=True)
class Plan:
    """The effects of a change.

    Attributes
    ----------
    category
        The changed category; for a merge, the category that remains.
    source, target
        Names of categories.
    fields
        The fields that change, by primary key of the category.
    new
        Categories to create.
    reopened
        Categories that an undone split had created and this one reopens.
    undecided
        Control numbers of the books that the rule of a split leaves in place.
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


def plan(
    *, change_request: TaxonomyChangeRequest, now: datetime, text_classifier: TextClassifier | None = None
) -> Plan:
    """Return the plan of a change.

    Parameters
    ----------
    text_classifier
        Required by a split with `Rule.NEAREST`.

    Raises
    ------
    TaxonomyError
        If the request is invalid.
    TaxonomyConflictError
        If a requested category is retired.
    """
    if isinstance(change_request, Merge):
        return _merge(change_request, now)
    if isinstance(change_request, Retire):
        return _retire(change_request, now)
    if isinstance(change_request, Move):
        return _move(change_request)
    return _split(change_request, text_classifier)


def open_category(pk: int) -> Category:
    """Return an open category.

    Raises
    ------
    TaxonomyError
        If there is no such category.
    TaxonomyConflictError
        If it is retired.
    """
    category = Category.objects.filter(pk=pk).select_related("parent").first()
    if category is None:
        raise TaxonomyError(_("Category %s does not exist. Reload the page.") % pk, category=pk)
    if category.retired_at:
        raise TaxonomyConflictError(
            _(
                "%(category)s was retired on %(day)s. Choose another category, or undo the category "
                "change first."
            )
            % {"category": category, "day": f"{category.retired_at:%Y-%m-%d}"},
            category=pk,
        )
    return category


def _merge(change_request: Merge, now: datetime) -> Plan:
    into = open_category(change_request.into)
    sources = list(dict.fromkeys(change_request.sources))
    if not sources:
        raise TaxonomyError(_("Choose at least one category to merge into %s.") % into)
    if into.pk in sources:
        raise TaxonomyError(_("%s cannot be merged into itself. Choose another target category.") % into)
    names = [str(open_category(source)) for source in sources]
    planned = Plan(kind=Kind.MERGE, category=into, source=", ".join(names), target=str(into))
    merged_ancestors = Category.tree.order_siblings_by("id").ancestors(into).filter(pk__in=sources)
    if (highest := merged_ancestors.first()) is not None:
        # The target takes the place of the highest of its ancestors that are merged into it.
        planned.fields[into.pk] = {"parent_id": highest.parent_id}
    for child in _open_children(sources):
        if child not in sources and child != into.pk:
            planned.fields[child] = {"parent_id": into.pk}
    for source in sources:
        planned.fields[source] = {"retired_at": now, "replaced_by_id": into.pk}
    planned.refilings = _all_books(sources, into.pk)
    return planned


def _retire(change_request: Retire, now: datetime) -> Plan:
    category = open_category(change_request.category)
    if change_request.books_to not in BooksTo.values:
        raise TaxonomyError(_("“%s” is not a valid destination for the books.") % change_request.books_to)
    to = category.parent_id if change_request.books_to == BooksTo.PARENT else None
    if change_request.books_to == BooksTo.PARENT and to is None:
        raise TaxonomyError(
            _("%s has no parent category. Move its books to no category, or merge it into another category.")
            % category
        )
    target = str(category.parent) if to is not None else _NOWHERE
    planned = Plan(kind=Kind.RETIRE, category=category, source=str(category), target=target)
    for child in _open_children([category.pk]):
        planned.fields[child] = {"parent_id": category.parent_id}
    planned.fields[category.pk] = {"retired_at": now, "replaced_by_id": to}
    planned.refilings = _all_books([category.pk], to)
    return planned


def _move(change_request: Move) -> Plan:
    category = open_category(change_request.category)
    parent = open_category(change_request.parent) if change_request.parent is not None else None
    if change_request.parent == category.parent_id:
        raise TaxonomyError(_("%s is already there. Choose another parent category.") % category)
    if parent is not None and parent.pk in descendants(category=category.pk):
        raise TaxonomyError(
            _(
                "Cannot move %(category)s under %(parent)s, because this would create a loop. Choose "
                "another parent category."
            )
            % {"category": category, "parent": parent}
        )
    return Plan(
        kind=Kind.MOVE,
        category=category,
        source=f"{category}: {category.parent or _NOWHERE}",
        target=str(parent or _NOWHERE),
        fields={category.pk: {"parent_id": change_request.parent}},
    )


def _split(change_request: Split, text_classifier: TextClassifier | None) -> Plan:
    category = open_category(change_request.category)
    existing = validate_children(change_request, category)
    target = ", ".join(child.notation for child in change_request.children)
    planned = Plan(kind=Kind.SPLIT, category=category, source=str(category), target=target)
    targets: list[Target] = []
    for child in change_request.children:
        existing_child = existing.get(child.notation)
        targets.append(existing_child.pk if existing_child else child.notation)
        if existing_child is None:
            planned.new.append(child)
        elif existing_child.retired_at:
            planned.reopened.append(existing_child.pk)
            labels = {
                name: getattr(child, name) or getattr(existing_child, name)
                for name in ("label_en", "label_zh")
            }
            planned.fields[existing_child.pk] = {
                "retired_at": None, "replaced_by_id": None, "parent_id": category.pk, **labels
            }  # fmt: skip
    for book, number, source in assign_books(change_request, category, text_classifier):
        if number is None:
            planned.undecided.append(book.control_number)
        else:
            planned.refilings.append(
                Refiling(
                    book=book.pk,
                    from_category=category.pk,
                    from_source=book.category_source,
                    to=targets[number],
                    to_source=source,
                )
            )
    return planned


def _open_children(categories: Iterable[int]) -> list[int]:
    children = Category.objects.filter(parent__in=categories, retired_at=None).order_by("pk")
    return list(children.values_list("pk", flat=True))


def _all_books(categories: Iterable[int], to: int | None) -> list[Refiling]:
    rows = Book.objects.filter(category__in=categories).order_by("pk")
    return [
        # A person decided that both categories are the same: the source of each filing stays as trusted as
        # before.
        Refiling(
            book=book,
            from_category=category,
            from_source=source,
            to=to,
            to_source=source if to is not None else Book.CategorySource.NONE.value,
        )
        for book, category, source in rows.values_list("pk", "category_id", "category_source").iterator()
    ]
