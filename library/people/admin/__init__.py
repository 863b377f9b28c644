"""Borrowers and the audit log in the admin."""

from library.people.admin import audit, borrowers

__all__ = ["audit", "borrowers"]
