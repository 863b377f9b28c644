"""Reads of people, a module a noun."""

from library.people.selectors.audit import entries_about
from library.people.selectors.borrowers import borrower_ids, search_borrowers, without_personal_data

__all__ = ["borrower_ids", "entries_about", "search_borrowers", "without_personal_data"]
