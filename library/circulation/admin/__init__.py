"""The circulation desk."""

from library.circulation.admin import loans

__all__ = ["loans"]
