"""Configuration of the pipeline with this library's settings."""

from collections.abc import Sequence

from django.conf import settings

from classifier.pipeline.config import Config


def library_config(overrides: Sequence[str] = ()) -> Config:
    """Return the defaults with the library's settings, then the overrides ``part.name=value`` of this call.

    Raises
    ------
    ConfigError
        If a setting does not exist or has an invalid value.
    """
    own = f"recommend.min_borrowers={settings.RECOMMEND_MIN_BORROWERS}"
    return Config().with_settings([own, *overrides])
