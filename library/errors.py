"""Base classes of the errors the library raises on purpose."""

from typing import Any


class LibraryError(Exception):
    """An error that a person can fix.

    Parameters
    ----------
    message
        What happened and how to fix it, for a librarian.
    **extra
        Details for machines, JSON-serialisable.
    """

    def __init__(self, message: str, **extra: Any) -> None:
        super().__init__(message)
        self.message = message
        self.extra = extra


class ConflictError(LibraryError):
    """The request is valid, but the current state does not allow it; it may succeed later."""
