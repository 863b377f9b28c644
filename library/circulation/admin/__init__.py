"""Admin pages of circulation."""

from library.circulation.admin import borrowers, copies, fines, holds, loans, notices, overdue, policies

__all__ = ["borrowers", "copies", "fines", "holds", "loans", "notices", "overdue", "policies"]
