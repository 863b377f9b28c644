"""The borrowers' desk and the audit log."""

from library.people.admin import audit, borrowers

__all__ = ["audit", "borrowers"]
