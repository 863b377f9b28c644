"""Apply and undo changes of the classification scheme, each in one transaction.

Callers use `classifier.services.taxonomy.changes`, which calls this module and then updates the suggestions.

Locks: the tables of books and categories, in this order, which is also the order in which filing a book locks
them. A change is rare, takes seconds and moves whole shelves; locks on single rows would miss a book that is
being filed.
"""

from collections import defaultdict
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.contrib.auth.models import User
from django.db import connection, models, transaction
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _

from library.catalogue.models import Book, Category, RefiledBook, TaxonomyChange
from library.catalogue.services.taxonomy.planning import Plan, Target, plan
from library.catalogue.services.taxonomy.requests import (
    TaxonomyChangeRequest,
    TaxonomyConflictError,
    TextClassifier,
    as_parameters,
    categories_named_in,
)
from library.db import KEYS_PER_QUERY, batches
from library.tabular import max_length

_FIELDS = ("parent_id", "retired_at", "replaced_by_id")
_ROWS_PER_STATEMENT = 2000


def lock_tables(*tables: type[models.Model]) -> None:
    """Block writes to the tables until the transaction ends, after waiting for current writers."""
    if connection.vendor == "postgresql":
        names = ", ".join(connection.ops.quote_name(table._meta.db_table) for table in tables)
        with connection.cursor() as cursor:
            # EXCLUSIVE does not block reads. SQLite allows one writer at a time anyway.
            cursor.execute(f"LOCK TABLE {names} IN EXCLUSIVE MODE")


@transaction.atomic
def apply(
    *,
    change_request: TaxonomyChangeRequest,
    now: datetime,
    user: User | None = None,
    text_classifier: TextClassifier | None = None,
) -> TaxonomyChange:
    """Merge, split, retire or move categories.

    Parameters
    ----------
    text_classifier
        Required by a split with `Rule.NEAREST`.

    Raises
    ------
    TaxonomyError, TaxonomyConflictError
        See `plan`; nothing is changed.
    """
    lock_tables(Book, Category)
    planned = plan(change_request=change_request, now=now, text_classifier=text_classifier)
    created = {
        child.notation: Category.objects.create(
            scheme=planned.category.scheme,
            notation=child.notation,
            label_en=child.label_en,
            label_zh=child.label_zh,
            parent=planned.category,
        ).pk
        for child in planned.new
    }
    touched = Category.objects.filter(pk__in=planned.fields.keys() - set(planned.reopened)).order_by("pk")
    change = TaxonomyChange.objects.create(
        kind=planned.kind,
        category=planned.category,
        summary=f"{planned.source} → {planned.target}"[: max_length(TaxonomyChange, "summary")],
        parameters=as_parameters(change_request),
        before=[_as_json(row) for row in touched.values("id", *_FIELDS)],
        created_categories=[*created.values(), *planned.reopened],
        books=len(planned.refilings),
        undecided=len(planned.undecided),
        created_at=now,
        created_by=user,
    )
    for key, fields in planned.fields.items():
        Category.objects.filter(pk=key).update(**fields)
    _refile(change, planned, created)
    return change


@transaction.atomic
def undo(*, change: TaxonomyChange, now: datetime, user: User | None = None) -> TaxonomyChange:
    """Undo a change: restore its categories and books.

    Books that have been refiled since the change stay where they are. A category that a split created is
    retired, but stays open if it has gained books or children since.

    Returns
    -------
    TaxonomyChange
        ``kept`` is the number of books that stayed.

    Raises
    ------
    TaxonomyConflictError
        If it is undone already or a later change depends on it; the message names that change.
    """
    lock_tables(Book, Category)
    change = (
        TaxonomyChange.objects.select_for_update(of=("self",)).select_related("category").get(pk=change.pk)
    )
    if change.undone_at:
        raise TaxonomyConflictError(_("%s is already undone.") % change)
    _refuse_if_dependent(change)
    _refuse_if_deleted(change)
    for row in change.before:
        fields = {name: row[name] for name in _FIELDS}
        if fields["retired_at"]:
            fields["retired_at"] = parse_datetime(fields["retired_at"])
        Category.objects.filter(pk=row["id"]).update(**fields)
    _refuse_if_circular(change)
    change.kept = _refile_back(change)
    empty = Category.objects.filter(pk__in=change.created_categories, books=None)
    for category in empty.exclude(pk__in=_parents_of_open()):
        Category.objects.filter(pk=category.pk).update(retired_at=now, replaced_by=change.category_id)
    change.undone_at, change.undone_by = now, user
    change.save(update_fields=["kept", "undone_at", "undone_by"])
    return change


def _refile(change: TaxonomyChange, planned: Plan, created: dict[str, int]) -> None:
    def key(target: Target) -> int | None:
        return created[target] if isinstance(target, str) else target

    RefiledBook.objects.bulk_create(
        (
            RefiledBook(
                change=change,
                book_id=refiling.book,
                from_category_id=refiling.from_category,
                from_source=refiling.from_source,
                to_category_id=key(refiling.to),
                to_source=refiling.to_source,
            )
            for refiling in planned.refilings
        ),
        batch_size=_ROWS_PER_STATEMENT,
    )
    _file((refiling.book, key(refiling.to), refiling.to_source) for refiling in planned.refilings)


def _refile_back(change: TaxonomyChange) -> int:
    """Restore the books that are still as the change left them; return the number of the others."""
    unchanged = change.refiled.filter(
        models.Q(book__category=models.F("to_category")) | models.Q(book__category=None, to_category=None),
        book__category_source=models.F("to_source"),
    )
    back = list(unchanged.order_by("book").values_list("book", "from_category", "from_source"))
    _file(back)
    return change.refiled.count() - len(back)


def _file(books: Iterable[tuple[int, int | None, str]]) -> None:
    by_filing: dict[tuple[int | None, str], list[int]] = defaultdict(list)
    for book, category, source in books:
        by_filing[category, source].append(book)
    for (category, source), keys in by_filing.items():
        for batch in batches(keys, KEYS_PER_QUERY):
            Book.objects.filter(pk__in=batch).update(category=category, category_source=source)


def _refuse_if_dependent(change: TaxonomyChange) -> None:
    """Refuse to undo a change if a later one, not undone itself, changed the same rows or depends on it."""
    later = _later_changes(change)
    blocking = later.filter(refiled__book__in=change.refiled.values("book")).first() or next(
        (other for other in later if _depends_on(other, change)), None
    )
    if blocking is not None:
        raise _conflict(change, blocking)


def _refuse_if_circular(change: TaxonomyChange) -> None:
    """Refuse an undo whose restored parents make a circle with those that later changes set."""
    restored = {row["id"] for row in change.before}
    # A tree query starts at the roots, so it does not reach a circle or what is below one.
    reached = Category.tree.order_siblings_by("id").with_tree_fields().filter(pk__in=restored)
    if len(reached) < len(restored) and (blocking := _later_changes(change).first()):
        raise _conflict(change, blocking)


def _later_changes(change: TaxonomyChange) -> models.QuerySet[TaxonomyChange]:
    return TaxonomyChange.objects.filter(pk__gt=change.pk, undone_at=None).order_by("-pk")


def _conflict(change: TaxonomyChange, blocking: TaxonomyChange) -> TaxonomyConflictError:
    values = {
        "change": change,
        "later": blocking,
        "kind": blocking.get_kind_display(),
        "category": blocking.category,
    }
    return TaxonomyConflictError(
        _(
            "%(change)s cannot be undone because %(later)s (%(kind)s, %(category)s) depends on "
            "it. Undo that change first."
        )
        % values,
        later=blocking.pk,
    )


def _depends_on(later: TaxonomyChange, change: TaxonomyChange) -> bool:
    used = {change.category_id, *change.created_categories}
    for row in change.before:
        used |= {row["id"], row["parent_id"]}
    touched = {row["id"] for row in later.before}
    return bool(touched & used or categories_named_in(later.parameters) & set(change.created_categories))


def _refuse_if_deleted(change: TaxonomyChange) -> None:
    needed = {row["parent_id"] for row in change.before} - {None}
    if needed - set(Category.objects.filter(pk__in=needed).values_list("pk", flat=True)):
        raise TaxonomyConflictError(
            _("%s cannot be undone: the previous parent category has been deleted.") % change
        )


def _parents_of_open() -> models.QuerySet[Category, Any]:
    return Category.objects.filter(parent__isnull=False, retired_at=None).values("parent")


def _as_json(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"retired_at": row["retired_at"].isoformat() if row["retired_at"] else None}
