"""The circulation desk."""

from library.circulation.admin import copies, fines, holds, loans, policies

__all__ = ["copies", "fines", "holds", "loans", "policies"]
