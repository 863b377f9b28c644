"""Writing the answers for a chunk of books: new suggestions, and what they were before."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from classifier.models import Change, Reading, Reclassification, Suggestion
from library.catalogue.models import Book
from library.db import KEYS_A_QUERY, batches

#: The columns of `Change.before`.
COLUMNS = ("rank", "category_id", "probability", "model_version_id", "created_at", "abstained", "evidence")


@dataclass(frozen=True, slots=True, kw_only=True)
class Was:
    """How books are suggested and filed before a batch comes by.

    Attributes
    ----------
    suggested : dict of int to list of dict
        By book: the rows of its suggestions, the first rank first; without those that have none.
    filed : dict of int to (int or None, str)
        By book: category and its source; of those that are still there.
    """

    suggested: dict[int, list[dict[str, Any]]]
    filed: dict[int, tuple[int | None, str]]


def locked(*, books: Sequence[int]) -> Was:
    """Return how books are suggested and filed, and let nobody change that in this transaction.

    Suggestions first and books after them, as who accepts a suggestion does: in another order the two would
    wait for each other.
    """
    suggested: dict[int, list[dict[str, Any]]] = {}
    filed: dict[int, tuple[int | None, str]] = {}
    for some in batches(books, KEYS_A_QUERY):
        rows = Suggestion.objects.filter(book_id__in=some).order_by("book_id", "rank")
        for row in rows.select_for_update(of=("self",)).values("book_id", *COLUMNS):
            suggested.setdefault(row.pop("book_id"), []).append(row)
    for some in batches(books, KEYS_A_QUERY):
        there = Book.objects.filter(pk__in=some).order_by("pk").select_for_update(of=("self",), no_key=True)
        for key, category, source in there.values_list("pk", "category_id", "category_source"):
            filed[key] = category, source
    return Was(suggested=suggested, filed=filed)


def apply(*, batch: Reclassification, was: Was, rows: Sequence[Suggestion], read: Mapping[int, str]) -> None:
    """Replace the suggestions of books and keep what they were; in the transaction that `locked` them.

    All of a book at once: an open page must not accept another's row.

    Parameters
    ----------
    batch : Reclassification
    was : Was
    rows : sequence of Suggestion
        Unsaved, of these books.
    read : mapping of int to str
        Fingerprint of each book.
    """
    books = sorted(was.filed)
    for some in batches(books, KEYS_A_QUERY):
        Suggestion.objects.filter(book_id__in=some).delete()
        supersede(books=some, batch=batch)
    Suggestion.objects.bulk_create(rows, batch_size=2000)
    Change.objects.bulk_create(_changes(batch, was, rows, kept=True), batch_size=2000)
    Reading.objects.bulk_create(
        [Reading(book_id=key, fingerprint=read[key]) for key in books],
        update_conflicts=True,
        unique_fields=["book"],
        update_fields=["fingerprint", "undone"],
        batch_size=2000,
    )


def propose(*, batch: Reclassification, was: Was, rows: Sequence[Suggestion]) -> None:
    """Note which suggestions a version would change, and change none."""
    changes = _changes(batch, was, rows, kept=False)
    different = [change for change in changes if change.kind != Change.Kind.SAME]
    Change.objects.bulk_create(different, batch_size=2000)


def supersede(*, books: Collection[int], batch: Reclassification) -> None:
    """Note of what earlier batches changed of books that it is not the last word any more."""
    earlier = Change.objects.filter(book_id__in=books, superseded=False)
    earlier.exclude(reclassification=batch).exclude(
        reclassification__state=Reclassification.State.PROPOSED
    ).update(superseded=True, before=[])


def restored(
    *, book_id: int, before: Sequence[Sequence[Any]], places: Mapping[int, int | None]
) -> list[Suggestion]:
    """Return a book's suggestions as `Change.before` has them, unsaved.

    Parameters
    ----------
    book_id : int
    before : sequence
    places : mapping of int to int or None
        By the key of each category that is there, that of the one its books are filed under now.
    """
    rows = [dict(zip(COLUMNS, values, strict=True)) for values in before]
    for row in rows:
        row["created_at"] = datetime.fromisoformat(row["created_at"])
    return placed([Suggestion(book_id=book_id, **row) for row in rows], places=places)


def placed(rows: Sequence[Suggestion], *, places: Mapping[int, int | None]) -> list[Suggestion]:
    """Return a book's suggestions as its categories are called now, unsaved.

    Those of categories that have become one are one, with the sum of their probabilities and the evidence of
    the likeliest; those in whose place nothing is are left out. Who is first says whether the model abstains.

    Parameters
    ----------
    rows : sequence of Suggestion
        Of one book, by rank.
    places : mapping of int to int or None
    """
    if all(places.get(row.category_id) == row.category_id for row in rows):
        return list(rows)
    together: dict[int, Suggestion] = {}
    for row in rows:
        there = places.get(row.category_id)
        if there is None:
            continue
        if there in together:
            together[there].probability = min(1.0, together[there].probability + row.probability)
        else:
            row.category_id = there
            together[there] = row
    found = sorted(together.values(), key=lambda row: -row.probability)
    abstained = bool(rows) and rows[0].abstained
    for rank, row in enumerate(found, start=1):
        row.rank, row.abstained = rank, abstained
    return found


def as_rows(rows: Sequence[Suggestion]) -> list[list[Any]]:
    """Return a book's suggestions as `Change.before` has them."""
    return [[_as_json(getattr(row, name)) for name in COLUMNS] for row in rows]


def _changes(batch: Reclassification, was: Was, rows: Sequence[Suggestion], *, kept: bool) -> list[Change]:
    first = {row.book_id: row for row in rows if row.rank == 1}
    return [
        _change(batch, key, was.suggested.get(key, []), first.get(key), was.filed[key], kept)
        for key in sorted(was.filed)
    ]


def _change(
    batch: Reclassification,
    book_id: int,
    old: Sequence[dict[str, Any]],
    new: Suggestion | None,
    filed: tuple[int | None, str],
    kept: bool,
) -> Change:
    was = old[0] if old else {}
    return Change(
        reclassification=batch,
        book_id=book_id,
        kind=_kind(was, new),
        from_category_id=was.get("category_id"),
        from_probability=was.get("probability"),
        from_abstained=was.get("abstained"),
        to_category_id=new.category_id if new else None,
        to_probability=new.probability if new else None,
        to_abstained=new.abstained if new else None,
        filed_category_id=filed[0],
        filed_source=filed[1],
        before=[[_as_json(row[name]) for name in COLUMNS] for row in old] if kept else [],
    )


def _kind(was: Mapping[str, Any], new: Suggestion | None) -> Change.Kind:
    if new is None:
        return Change.Kind.GONE if was else Change.Kind.SAME
    if not was:
        return Change.Kind.NEW
    if was["category_id"] != new.category_id:
        return Change.Kind.MOVED
    if was["abstained"] != new.abstained:
        return Change.Kind.UNSURE if new.abstained else Change.Kind.SURER
    return Change.Kind.SAME


def _as_json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
