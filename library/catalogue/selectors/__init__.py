"""Queries on the catalogue, one module a noun."""

from library.catalogue.selectors.books import installation_counts

__all__ = ["installation_counts"]
