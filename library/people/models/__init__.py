"""The rows of people: borrowers, and the log of who looked them up or changed them."""

from library.people.models.audit import AuditEntry
from library.people.models.borrowers import (
    PERSONAL_FIELDS,
    Borrower,
    BorrowerCategory,
    BorrowerTerm,
    KeyCanary,
)

__all__ = ["PERSONAL_FIELDS", "AuditEntry", "Borrower", "BorrowerCategory", "BorrowerTerm", "KeyCanary"]
