"""The errors the classifier raises on purpose."""

from library.errors import LibraryError


class ClassifierError(LibraryError):
    """Training, classifying or recommending cannot go on; the message says how to mend it."""


class NoModelError(ClassifierError):
    """No version of the model is there to do what was asked."""


class SettingError(ClassifierError):
    """A setting or a seed that training cannot take."""
