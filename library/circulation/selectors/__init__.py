"""Reads of circulation, a module a noun."""

from library.circulation.selectors.loans import copies_of_books, figures, loans_of_books

__all__ = ["copies_of_books", "figures", "loans_of_books"]
