"""Export everything stored about one borrower, to answer a data subject access request."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.admin.models import LogEntry
from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _

from library.errors import LibraryError
from library.people.models import AuditEntry, Borrower, BorrowerTerm
from library.people.selectors.audit import entries_for_record

FORMAT = "library borrower export"
#: Incremented when a list changes its shape; adding a list does not count.
VERSION = 1

Rows = Callable[[Borrower], list[dict[str, Any]]]


class UnknownCardError(LibraryError):
    """No borrower has the card number."""


@dataclass(frozen=True, slots=True)
class _Section:
    model: type[Model]
    rows: Rows


_sections: dict[str, _Section] = {}


def add_to_export(*, name: str, model: type[Model], rows: Rows) -> None:
    """Add the rows of a model to every export. Call it in ``ready()`` of the app that owns the model.

    This app does not know which apps above it store data about borrowers, so each registers its own.

    Parameters
    ----------
    name
        The key of the list in the export.
    rows
        Takes the borrower and returns the rows, JSON-serialisable.
    """
    _sections[name] = _Section(model, rows)


def borrower_with_card(*, card_number: str) -> Borrower:
    """Return the borrower with a card number. Raises `UnknownCardError`."""
    borrower = Borrower.objects.select_related("category").filter(card_number=card_number.strip()).first()
    if borrower is None:
        raise UnknownCardError(
            _("No borrower has the card number %s. Look it up under Borrowers in the admin.") % card_number,
            card_number=card_number,
        )
    return borrower


def export_borrower(*, borrower: Borrower, now: datetime) -> dict[str, Any]:
    """Return everything stored about a borrower, in a fixed number of queries.

    Returns
    -------
    dict
        JSON values: the person, and a list for each model that an app has registered. The audit log is
        without the accounts of staff: they are other people's data.
    """
    return {
        "format": FORMAT,
        "version": VERSION,
        "exported_at": now.isoformat(),
        "borrower": {
            "id": borrower.pk,
            "card_number": borrower.card_number,
            "name": borrower.name,
            "email": borrower.email,
            "phone": borrower.phone,
            "address": borrower.address,
            "category": str(borrower.category) if borrower.category else None,
            "blocked": borrower.blocked,
            "retention": borrower.retention,
            "excluded_from_statistics": borrower.excluded_from_statistics,
        },
        **{name: section.rows(borrower) for name, section in _sections.items()},
    }


def json_rows(rows: QuerySet[Any], **columns: str) -> list[dict[str, Any]]:
    """Return rows as JSON-serialisable dicts: the keywords are the keys, their values the names of fields."""
    return [
        {name: _plain(value) for name, value in zip(columns, row, strict=True)}
        for row in rows.values_list(*columns.values())
    ]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)


def _terms(borrower: Borrower) -> list[dict[str, Any]]:
    terms = BorrowerTerm.objects.filter(borrower=borrower).order_by("kind", "digest")
    return json_rows(terms, kind="kind", digest="digest")


def _audit(borrower: Borrower) -> list[dict[str, Any]]:
    about_borrowers = AuditEntry.objects.filter(object_type=Borrower._meta.label_lower)
    entries = entries_for_record(object_key=str(borrower.pk), entries=about_borrowers).order_by(
        "created_at", "pk"
    )
    return json_rows(entries, created_at="created_at", action="action", path="path")


def _history(borrower: Borrower) -> list[dict[str, Any]]:
    entries = LogEntry.objects.filter(
        content_type__app_label=Borrower._meta.app_label,
        content_type__model=Borrower._meta.model_name,
        object_id=str(borrower.pk),
    ).order_by("action_time", "pk")
    return json_rows(entries, created_at="action_time", action="action_flag", fields="change_message")


add_to_export(name="search_terms", model=BorrowerTerm, rows=_terms)
add_to_export(name="audit_log", model=AuditEntry, rows=_audit)
add_to_export(name="admin_history", model=LogEntry, rows=_history)
