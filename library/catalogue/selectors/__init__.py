"""Reads of the catalogue, a module a noun."""

from library.catalogue.selectors.books import figures

__all__ = ["figures"]
