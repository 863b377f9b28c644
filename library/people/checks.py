"""System checks: the library does not start with keys that cannot read its borrowers."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error
from django.db import OperationalError

from library.people.encryption.keys import KeysError
from library.people.services.key_check import WrongKeysError, confirm_keys


def keys_fit_the_database(*, databases: Sequence[str] | None = None, **kwargs: Any) -> Sequence[CheckMessage]:
    """Report keys that are missing, misspelt or not those of the database.

    Parameters
    ----------
    databases : sequence of str, optional
        Aliases. Where a command names none, as ``runserver``, the default database is asked all the same.
    """
    errors = []
    for alias in ["default"] if databases is None else databases:
        try:
            confirm_keys(using=alias)
        except (KeysError, WrongKeysError) as error:
            errors.append(Error(error.message, id="people.E001"))
        except OperationalError:
            # Not this check's to tell: the command itself will say that the database does not answer.
            continue
    return errors
