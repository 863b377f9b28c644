"""What is kept of one borrower, all of it: the answer to "what do you hold about me"."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.contrib.admin.models import LogEntry
from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _

from library.errors import LibraryError
from library.people.models import AuditEntry, Borrower, BorrowerTerm
from library.people.selectors.audit import entries_about

FORMAT = "library borrower export"
#: Raised when a part changes its shape; a part added is no such change.
VERSION = 1

Rows = Callable[[Borrower], list[dict[str, Any]]]


class UnknownCardError(LibraryError):
    """No borrower has the card."""


@dataclass(frozen=True, slots=True)
class _Part:
    model: type[Model]
    rows: Rows


_parts: dict[str, _Part] = {}


def add_to_export(*, name: str, model: type[Model], rows: Rows) -> None:
    """Let the rows of a model be part of every export; called in ``ready()`` of the app that keeps them.

    People does not know who else keeps something of a borrower, so each says so itself.

    Parameters
    ----------
    name : str
        The key of the list in the export.
    model : type
    rows : callable
        Takes the borrower and returns what is kept, JSON-ready.
    """
    _parts[name] = _Part(model, rows)


def exported_models() -> set[type[Model]]:
    """Return the models whose rows are part of an export."""
    return {Borrower} | {part.model for part in _parts.values()}


def borrower_with_card(*, card_number: str) -> Borrower:
    """Return the borrower with a card.

    Raises
    ------
    UnknownCardError
    """
    found = Borrower.objects.select_related("category").filter(card_number=card_number.strip()).first()
    if found is None:
        raise UnknownCardError(
            _("No borrower has the card %s. Look it up under Borrowers in the admin.") % card_number,
            card_number=card_number,
        )
    return found


def export_borrower(*, borrower: Borrower, now: datetime) -> dict[str, Any]:
    """Return everything that is kept of a borrower.

    Parameters
    ----------
    borrower : Borrower
    now : datetime

    Returns
    -------
    dict
        JSON-ready, in a fixed number of queries: the person, and a list for each kind of row that some app
        keeps. In the audit log the accounts of those who looked are left out: they are other people's data.
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
            "left_out": borrower.left_out,
        },
        **{name: part.rows(borrower) for name, part in _parts.items()},
    }


def json_rows(rows: QuerySet[Any], **columns: str) -> list[dict[str, Any]]:
    """Return rows as dicts of JSON-ready values: keys are the keywords, values the fields they name."""
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
    about = AuditEntry.objects.filter(object_type=Borrower._meta.label_lower)
    entries = entries_about(object_key=str(borrower.pk), entries=about).order_by("at", "pk")
    return json_rows(entries, at="at", action="action", address="path")


def _history(borrower: Borrower) -> list[dict[str, Any]]:
    entries = LogEntry.objects.filter(
        content_type__app_label=Borrower._meta.app_label,
        content_type__model=Borrower._meta.model_name,
        object_id=str(borrower.pk),
    ).order_by("action_time", "pk")
    return json_rows(entries, at="action_time", action="action_flag", fields="change_message")


add_to_export(name="search_terms", model=BorrowerTerm, rows=_terms)
add_to_export(name="audit_log", model=AuditEntry, rows=_audit)
add_to_export(name="admin_history", model=LogEntry, rows=_history)
