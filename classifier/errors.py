"""Errors that the classifier raises on purpose."""

from library.errors import ConflictError, LibraryError


class ClassifierError(LibraryError):
    """Training, classification or recommendation cannot continue; the message says how to fix it."""


class NoModelError(ClassifierError):
    """The model version that is needed does not exist."""


class SettingError(ClassifierError):
    """A setting, parameter or seed is invalid."""


class AlreadyRunningError(ConflictError):
    """A run of this kind is running; two at once would overwrite each other's results."""


class RunOverError(ConflictError):
    """The action is only possible before the run has ended."""


class RunCancelledError(LibraryError):
    """The run was cancelled and stops where it is."""


class RunLostError(LibraryError):
    """The run stopped responding and was given to another process: this one may write nothing more."""


class DamagedModelError(ClassifierError):
    """Files of a version are missing, altered or of another format; the message names the file."""


class ServingError(ClassifierError):
    """The model server is unavailable or failed."""


class PromotionRefusedError(ConflictError):
    """The version cannot be activated or pinned in its current state."""


class FeedbackRefusedError(ConflictError):
    """The borrower, or the library for all borrowers, has chosen that no borrowing history is kept."""
