"""Changes of a batch: the new suggestions of books, and what they replaced."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from classifier.models import Batch, BookFingerprint, Change, Suggestion
from library.catalogue.models import Book
from library.db import KEYS_PER_QUERY, batches

Filing = tuple[int | None, str]
"""Primary key of a book's category, and the source of the category."""
#: Columns of a suggestion in `Change.before`.
COLUMNS = ("rank", "category_id", "probability", "model_version_id", "created_at", "abstained", "evidence")


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviousState:
    """Suggestions by rank and filings of books before a batch, by primary key, of those that had any."""

    suggested: dict[int, list[dict[str, Any]]]
    filed: dict[int, Filing]


def lock_books(*, books: Sequence[int]) -> PreviousState:
    """Lock books and their suggestions for this transaction, and return their state.

    Suggestions are locked first, as in accepting a suggestion: two orders could deadlock.
    """
    suggested: dict[int, list[dict[str, Any]]] = {}
    filed: dict[int, Filing] = {}
    for keys in batches(books, KEYS_PER_QUERY):
        rows = Suggestion.objects.filter(book_id__in=keys).order_by("book_id", "rank")
        for row in rows.select_for_update(of=("self",)).values("book_id", *COLUMNS):
            suggested.setdefault(row.pop("book_id"), []).append(row)
    for keys in batches(books, KEYS_PER_QUERY):
        locked = Book.objects.filter(pk__in=keys).order_by("pk").select_for_update(of=("self",), no_key=True)
        for key, category, source in locked.values_list("pk", "category_id", "category_source"):
            filed[key] = category, source
    return PreviousState(suggested=suggested, filed=filed)


def apply_changes(
    *, batch: Batch, previous: PreviousState, rows: Sequence[Suggestion], fingerprints: Mapping[int, str]
) -> None:
    """Replace the suggestions of books and record the changes, in the transaction that locked the books.

    All suggestions of a book are replaced at once: an open page must not accept another row.

    Parameters
    ----------
    rows
        Unsaved.
    fingerprints
        By primary key of the book.
    """
    books = sorted(previous.filed)
    for keys in batches(books, KEYS_PER_QUERY):
        Suggestion.objects.filter(book_id__in=keys).delete()
        supersede(books=keys, batch=batch)
    Suggestion.objects.bulk_create(rows, batch_size=2000)
    Change.objects.bulk_create(_changes(batch, previous, rows, keep_before=True), batch_size=2000)
    BookFingerprint.objects.bulk_create(
        [BookFingerprint(book_id=key, fingerprint=fingerprints[key]) for key in books],
        update_conflicts=True,
        unique_fields=["book"],
        update_fields=["fingerprint", "undone"],
        batch_size=2000,
    )


def propose_changes(*, batch: Batch, previous: PreviousState, rows: Sequence[Suggestion]) -> None:
    """Record which suggestions a version would change, without changing any."""
    changes = _changes(batch, previous, rows, keep_before=False)
    different = [change for change in changes if change.kind != Change.Kind.SAME]
    Change.objects.bulk_create(different, batch_size=2000)


def supersede(*, books: Collection[int], batch: Batch) -> None:
    """Mark earlier batches' changes of these books as superseded."""
    earlier = Change.objects.filter(book_id__in=books, superseded=False)
    earlier.exclude(batch=batch).exclude(batch__state=Batch.State.PROPOSED).update(superseded=True, before=[])


def restored(
    *, book_id: int, before: Sequence[Sequence[Any]], categories: Mapping[int, int | None]
) -> list[Suggestion]:
    """Return a book's suggestions as recorded in `Change.before`, unsaved; see `with_current_categories`."""
    rows = [dict(zip(COLUMNS, values, strict=True)) for values in before]
    for row in rows:
        row["created_at"] = datetime.fromisoformat(row["created_at"])
    return with_current_categories(
        [Suggestion(book_id=book_id, **row) for row in rows], categories=categories
    )


def with_current_categories(
    rows: Sequence[Suggestion], *, categories: Mapping[int, int | None]
) -> list[Suggestion]:
    """Return a book's suggestions, given by rank, under today's categories, unsaved.

    Suggestions whose categories were merged become one, with the sum of their probabilities and the evidence
    of the likeliest. Those of a category without a replacement are dropped. The first row decides whether the
    model abstains.

    Parameters
    ----------
    categories
        The open category for each existing one, by primary key; None if there is none.
    """
    if all(categories.get(row.category_id) == row.category_id for row in rows):
        return list(rows)
    merged: dict[int, Suggestion] = {}
    for row in rows:
        current = categories.get(row.category_id)
        if current is None:
            continue
        if current in merged:
            merged[current].probability = min(1.0, merged[current].probability + row.probability)
        else:
            row.category_id = current
            merged[current] = row
    ranked = sorted(merged.values(), key=lambda row: -row.probability)
    abstained = bool(rows) and rows[0].abstained
    for rank, row in enumerate(ranked, start=1):
        row.rank, row.abstained = rank, abstained
    return ranked


def as_before(rows: Sequence[Suggestion]) -> list[list[Any]]:
    """Return a book's suggestions in the form of `Change.before`."""
    return [[_as_json(getattr(row, name)) for name in COLUMNS] for row in rows]


def _changes(
    batch: Batch, previous: PreviousState, rows: Sequence[Suggestion], *, keep_before: bool
) -> list[Change]:
    first = {row.book_id: row for row in rows if row.rank == 1}
    return [
        _change(batch, key, previous.suggested.get(key, []), first.get(key), previous.filed[key], keep_before)
        for key in sorted(previous.filed)
    ]


def _change(
    batch: Batch,
    book_id: int,
    old: Sequence[dict[str, Any]],
    new: Suggestion | None,
    filed: Filing,
    keep_before: bool,
) -> Change:
    first = old[0] if old else {}
    return Change(
        batch=batch,
        book_id=book_id,
        kind=_kind(first, new),
        from_category_id=first.get("category_id"),
        from_probability=first.get("probability"),
        from_abstained=first.get("abstained"),
        to_category_id=new.category_id if new else None,
        to_probability=new.probability if new else None,
        to_abstained=new.abstained if new else None,
        filed_category_id=filed[0],
        filed_source=filed[1],
        before=[[_as_json(row[name]) for name in COLUMNS] for row in old] if keep_before else [],
    )


def _kind(old: Mapping[str, Any], new: Suggestion | None) -> Change.Kind:
    if new is None:
        return Change.Kind.GONE if old else Change.Kind.SAME
    if not old:
        return Change.Kind.NEW
    if old["category_id"] != new.category_id:
        return Change.Kind.MOVED
    if old["abstained"] != new.abstained:
        return Change.Kind.UNSURE if new.abstained else Change.Kind.SURER
    return Change.Kind.SAME


def _as_json(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value
