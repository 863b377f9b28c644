"""Reads of people, a module a noun."""

from library.people.selectors.audit import entries_about
from library.people.selectors.borrowers import (
    borrower_ids,
    borrowers_called,
    figures,
    search_borrowers,
    without_personal_data,
)
from library.people.selectors.export import add_to_export, borrower_with_card, export_borrower, json_rows

__all__ = [
    "add_to_export",
    "borrower_ids",
    "borrower_with_card",
    "borrowers_called",
    "entries_about",
    "export_borrower",
    "figures",
    "json_rows",
    "search_borrowers",
    "without_personal_data",
]
