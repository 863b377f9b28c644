"""The pipeline's configuration, with what this library has set."""

from collections.abc import Sequence

from django.conf import settings

from classifier.pipeline.config import Config


def library_config(changed: Sequence[str] = ()) -> Config:
    """Return the defaults with the library's settings, and over these what is changed for once.

    Parameters
    ----------
    changed : sequence of str
        ``part.name=value``.

    Raises
    ------
    ConfigError
        If a setting does not exist or cannot have its value.
    """
    own = f"recommend.min_borrowers={settings.RECOMMEND_MIN_BORROWERS}"
    return Config().with_settings([own, *changed])
