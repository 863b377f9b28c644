"""Borrowers, and the log of who read or changed their records."""

from library.people.models.audit import AuditedRecord, AuditEntry
from library.people.models.borrowers import (
    PERSONAL_FIELDS,
    Borrower,
    BorrowerCategory,
    BorrowerTerm,
    KeyCanary,
)

__all__ = [
    "PERSONAL_FIELDS",
    "AuditEntry",
    "AuditedRecord",
    "Borrower",
    "BorrowerCategory",
    "BorrowerTerm",
    "KeyCanary",
]
