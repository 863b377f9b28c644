"""System checks: stop startup if the keys cannot read the borrowers in the database."""

from collections.abc import Sequence
from typing import Any

from django.core.checks import CheckMessage, Error
from django.db import OperationalError

from library.people.encryption.keys import KeysError
from library.people.services.key_check import WrongKeysError, confirm_keys


def check_keys(*, databases: Sequence[str] | None = None, **kwargs: Any) -> Sequence[CheckMessage]:
    """Report keys that are missing, malformed or do not fit the database.

    Parameters
    ----------
    databases
        Aliases; None, as for ``runserver``, means the default database.
    """
    errors = []
    for alias in ["default"] if databases is None else databases:
        try:
            confirm_keys(using=alias)
        except (KeysError, WrongKeysError) as error:
            errors.append(Error(error.message, id="people.E001"))
        except OperationalError:
            # The command itself will report that the database is unavailable.
            continue
    return errors
