"""Changes of the classification scheme: made in one transaction, and undone.

What asks for one calls `classifier.services.taxonomy.changes`, which does this and lets suggestions follow.

Locks: the tables of books and of categories, in this order, as who files a book takes them. A change is rare
and takes seconds, and moves whole shelves: rows locked one by one would miss the book that is being filed.
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
from library.catalogue.services.taxonomy.planning import Plan, Target, above, parents, plan
from library.catalogue.services.taxonomy.requests import (
    Opinion,
    TaxonomyConflictError,
    Wish,
    as_parameters,
    named_in,
)
from library.db import KEYS_A_QUERY, batches
from library.tabular import longest

_KEPT = ("parent_id", "retired_at", "replaced_by_id")
_ROWS = 2000  # a statement


def lock_tables(*tables: type[models.Model]) -> None:
    """Let nobody write to some tables until the transaction ends, and wait for who is at it."""
    if connection.vendor == "postgresql":
        names = ", ".join(connection.ops.quote_name(table._meta.db_table) for table in tables)
        with connection.cursor() as cursor:
            # EXCLUSIVE: readers go on. SQLite lets one write at a time anyway.
            cursor.execute(f"LOCK TABLE {names} IN EXCLUSIVE MODE")


@transaction.atomic
def apply(
    *, wish: Wish, now: datetime, user: User | None = None, opinion: Opinion | None = None
) -> TaxonomyChange:
    """Merge, split, retire or move categories.

    Parameters
    ----------
    wish : Merge, Split, Retire or Move
    now : datetime
    user : user, optional
        Who does it.
    opinion : callable, optional
        Who is asked where a split says `Rule.NEAREST`.

    Returns
    -------
    TaxonomyChange

    Raises
    ------
    TaxonomyError, TaxonomyConflictError
        As `plan`; nothing is changed then.
    """
    lock_tables(Book, Category)
    made = plan(wish=wish, now=now, opinion=opinion)
    fresh = {
        child.notation: Category.objects.create(
            scheme=made.category.scheme,
            notation=child.notation,
            label_en=child.label_en,
            label_zh=child.label_zh,
            parent=made.category,
        ).pk
        for child in made.new
    }
    touched = Category.objects.filter(pk__in=made.fields.keys() - set(made.reopened)).order_by("pk")
    change = TaxonomyChange.objects.create(
        kind=made.kind,
        category=made.category,
        words=f"{made.source} → {made.target}"[: longest(TaxonomyChange, "words")],
        parameters=as_parameters(wish),
        before=[_as_json(row) for row in touched.values("id", *_KEPT)],
        made=[*fresh.values(), *made.reopened],
        books=len(made.refilings),
        undecided=len(made.undecided),
        made_at=now,
        made_by=user,
    )
    for key, fields in made.fields.items():
        Category.objects.filter(pk=key).update(**fields)
    _refile(change, made, fresh)
    return change


@transaction.atomic
def undo(*, change: TaxonomyChange, now: datetime, user: User | None = None) -> TaxonomyChange:
    """Take a change back: categories and books are what they were before.

    Books that were filed otherwise since stay where they are. A category that a split made is retired, and
    stays open where books or categories have come to it since.

    Parameters
    ----------
    change : TaxonomyChange
    now : datetime
    user : user, optional
        Who undoes it.

    Returns
    -------
    TaxonomyChange
        ``kept`` says how many books stayed.

    Raises
    ------
    TaxonomyConflictError
        If it is undone already, or a later change rests on it, which is named.
    """
    lock_tables(Book, Category)
    change = (
        TaxonomyChange.objects.select_for_update(of=("self",)).select_related("category").get(pk=change.pk)
    )
    if change.undone_at:
        raise TaxonomyConflictError(_("%s is undone already.") % change)
    _refuse_if_built_upon(change)
    _refuse_if_deleted(change)
    for row in change.before:
        fields = {name: row[name] for name in _KEPT}
        if fields["retired_at"]:
            fields["retired_at"] = parse_datetime(fields["retired_at"])
        Category.objects.filter(pk=row["id"]).update(**fields)
    change.kept = _refile_back(change)
    left = Category.objects.filter(pk__in=change.made, books=None)
    for made in left.exclude(pk__in=_parents_of_open()):
        Category.objects.filter(pk=made.pk).update(retired_at=now, replaced_by=change.category_id)
    change.undone_at, change.undone_by = now, user
    change.save(update_fields=["kept", "undone_at", "undone_by"])
    return change


def _refile(change: TaxonomyChange, made: Plan, fresh: dict[str, int]) -> None:
    def key(target: Target) -> int | None:
        return fresh[target] if isinstance(target, str) else target

    RefiledBook.objects.bulk_create(
        (
            RefiledBook(
                change=change,
                book_id=one.book,
                from_category_id=one.from_category,
                from_source=one.from_source,
                to_category_id=key(one.to),
                to_source=one.to_source,
            )
            for one in made.refilings
        ),
        batch_size=_ROWS,
    )
    _file((one.book, key(one.to), one.to_source) for one in made.refilings)


def _refile_back(change: TaxonomyChange) -> int:
    """Put the books back that are still as the change left them; return how many are not."""
    left_so = change.refiled.filter(
        models.Q(book__category=models.F("to_category")) | models.Q(book__category=None, to_category=None),
        book__category_source=models.F("to_source"),
    )
    back = list(left_so.order_by("book").values_list("book", "from_category", "from_source"))
    _file(back)
    return change.refiled.count() - len(back)


def _file(books: Iterable[tuple[int, int | None, str]]) -> None:
    together: dict[tuple[int | None, str], list[int]] = defaultdict(list)
    for book, category, source in books:
        together[category, source].append(book)
    for (category, source), keys in together.items():
        for some in batches(keys, KEYS_A_QUERY):
            Book.objects.filter(pk__in=some).update(category=category, category_source=source)


def _refuse_if_built_upon(change: TaxonomyChange) -> None:
    """Refuse to undo what a later change, not undone itself, has changed again or rests on."""
    later = TaxonomyChange.objects.filter(pk__gt=change.pk, undone_at=None).order_by("-pk")
    blocking = (
        later.filter(refiled__book__in=change.refiled.values("book")).first()
        or next((one for one in later if _rests_on(one, change)), None)
        or (later.first() if _makes_circle(change) else None)
    )
    if blocking is None:
        return
    facts = {
        "change": change,
        "later": blocking,
        "kind": blocking.get_kind_display(),
        "category": blocking.category,
    }
    raise TaxonomyConflictError(
        _("%(change)s cannot be undone: %(later)s (%(kind)s, %(category)s) rests on it. Undo that first.")
        % facts,
        later=blocking.pk,
    )


def _rests_on(later: TaxonomyChange, change: TaxonomyChange) -> bool:
    used = {change.category_id, *change.made}
    for row in change.before:
        used |= {row["id"], row["parent_id"]}
    touched = {row["id"] for row in later.before}
    return bool(touched & used or named_in(later.parameters) & set(change.made))


def _makes_circle(change: TaxonomyChange) -> bool:
    tree = parents() | {row["id"]: row["parent_id"] for row in change.before}
    paths = (above(row["id"], tree) for row in change.before)
    return any(tree.get(path[-1]) is not None for path in paths)


def _refuse_if_deleted(change: TaxonomyChange) -> None:
    needed = {row["parent_id"] for row in change.before} - {None}
    if needed - set(Category.objects.filter(pk__in=needed).values_list("pk", flat=True)):
        raise TaxonomyConflictError(
            _("%s cannot be undone: the category that stood above was deleted since.") % change
        )


def _parents_of_open() -> models.QuerySet[Category, Any]:
    return Category.objects.filter(parent__isnull=False, retired_at=None).values("parent")


def _as_json(row: dict[str, Any]) -> dict[str, Any]:
    return row | {"retired_at": row["retired_at"].isoformat() if row["retired_at"] else None}
