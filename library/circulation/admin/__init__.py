"""The circulation desk."""

from library.circulation.admin import copies, fines, holds, loans, notices, overdue, policies

__all__ = ["copies", "fines", "holds", "loans", "notices", "overdue", "policies"]
