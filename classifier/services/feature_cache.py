"""Feature cache of the installation, shared by all runs."""

from pathlib import Path

from django.conf import settings

from classifier.pipeline.features.cache import FeatureCache


def feature_cache() -> FeatureCache:
    """Open the cache; a new instance, so that failures of another run are tried again."""
    path = Path(settings.DATA_DIR) / "cache" / "features.sqlite3"
    return FeatureCache(path, max_bytes=settings.FEATURE_CACHE_BYTES)
