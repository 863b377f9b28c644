"""Startup errors in one line instead of a traceback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

from django.core.exceptions import ImproperlyConfigured
from environs import EnvError, EnvValidationError

WRONG_USAGE = 2


@contextmanager
def exit_on_invalid_settings(*, status: int = WRONG_USAGE) -> Iterator[None]:
    """Print an error of the settings in one line on standard error and exit with the status."""
    try:
        yield
    except (EnvError, ImproperlyConfigured) as error:
        print(f"Invalid settings: {_message(error)}", file=sys.stderr)
        raise SystemExit(status) from None


def _message(error: Exception) -> str:
    text = str(error)
    if isinstance(error, EnvValidationError):
        # The text contains the messages as a Python list.
        text = text.replace(str(error.error_messages), " ".join(map(str, error.error_messages)))
    return text
