"""The base of every error the library raises on purpose."""

from typing import Any


class LibraryError(Exception):
    """Something a person can mend.

    Parameters
    ----------
    message : str
        What is wrong and how to mend it, in a sentence for a librarian.
    **extra
        The facts behind the sentence, for machines: JSON-serialisable.
    """

    def __init__(self, message: str, **extra: Any) -> None:
        super().__init__(message)
        self.message = message
        self.extra = extra


class ConflictError(LibraryError):
    """What was asked for is well-formed and cannot be done as things stand now; another time it may."""
