"""Counts of the installation; each app provides its own through the setting ``INSTALLATION_COUNTS``."""

from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string


def installation_counts() -> dict[str, dict[str, Any]]:
    """Return the counts by app: numbers, and names that identify no person."""
    return {name: import_string(source)() for name, source in settings.INSTALLATION_COUNTS.items()}
