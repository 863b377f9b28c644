"""Admin pages of the catalogue."""

from library.catalogue.admin.books import BookAdmin
from library.catalogue.admin.categories import CategoryAdmin
from library.catalogue.admin.copies import CopyAdmin

__all__ = ["BookAdmin", "CategoryAdmin", "CopyAdmin"]
