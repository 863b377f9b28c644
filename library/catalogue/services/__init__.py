"""Writes to the catalogue, one module a noun."""

from library.catalogue.services.books import index_books, rebuild_search, save_book
from library.catalogue.services.categories import (
    CategoryRetiredError,
    check_open,
    ensure_categories,
    librarian_source,
)
from library.catalogue.services.copies import add_copies, add_first_copies

__all__ = [
    "CategoryRetiredError",
    "add_copies",
    "add_first_copies",
    "check_open",
    "ensure_categories",
    "index_books",
    "librarian_source",
    "rebuild_search",
    "save_book",
]
