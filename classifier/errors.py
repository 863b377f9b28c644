"""The errors the classifier raises on purpose."""

from library.errors import ConflictError, LibraryError


class ClassifierError(LibraryError):
    """Training, classifying or recommending cannot go on; the message says how to mend it."""


class NoModelError(ClassifierError):
    """No version of the model is there to do what was asked."""


class SettingError(ClassifierError):
    """A setting or a seed that training cannot take."""


class AlreadyRunningError(ConflictError):
    """A run of this kind is going on, and two at once would undo each other's work."""


class RunOverError(ConflictError):
    """What was asked of a run can only be done before it is over."""


class RunCancelledError(LibraryError):
    """Somebody cancelled the run; it stops where it is."""


class RunLostError(LibraryError):
    """The run was taken for dead and given to another process: this one may write nothing more."""


class DamagedModelError(ClassifierError):
    """A version's files are missing, altered, or of another format; the message names the file."""


class ServingError(ClassifierError):
    """The process that holds the model cannot be asked at the moment."""


class PromotionRefusedError(ConflictError):
    """This version cannot be made active, or pinned, as things stand."""


class FeedbackRefusedError(ConflictError):
    """The borrower has chosen, or the library for all, that nothing is remembered of what is read."""
