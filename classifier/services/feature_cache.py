"""Where the installation keeps features of books from one run to the next."""

from pathlib import Path

from django.conf import settings

from classifier.pipeline.features.cache import FeatureCache


def feature_cache() -> FeatureCache:
    """Return the installation's cache, as good as new: what went wrong in another run is tried again."""
    path = Path(settings.DATA_DIR) / "cache" / "features.sqlite3"
    return FeatureCache(path, max_bytes=settings.FEATURE_CACHE_BYTES)
