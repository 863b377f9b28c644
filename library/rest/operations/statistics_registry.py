"""Numbers of the whole library, of which each app brings its own by the setting ``FIGURES``."""

from typing import Any

from django.conf import settings
from django.utils.module_loading import import_string


def figures() -> dict[str, dict[str, Any]]:
    """Return the figures by app: numbers, and names of things that are nobody's."""
    return {name: import_string(source)() for name, source in settings.FIGURES.items()}
