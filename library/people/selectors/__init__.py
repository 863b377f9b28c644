"""Queries on borrowers and the audit log."""

from library.people.selectors.audit import entries_for_record
from library.people.selectors.borrowers import (
    borrower_ids,
    borrowers_by_card_number,
    installation_counts,
    search_borrowers,
    without_personal_data,
)
from library.people.selectors.export import add_to_export, borrower_with_card, export_borrower, json_rows

__all__ = [
    "add_to_export",
    "borrower_ids",
    "borrower_with_card",
    "borrowers_by_card_number",
    "entries_for_record",
    "export_borrower",
    "installation_counts",
    "json_rows",
    "search_borrowers",
    "without_personal_data",
]
