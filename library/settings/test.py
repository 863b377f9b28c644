"""Settings for the tests: fast password hashing, an own data folder, tasks run where they are sent."""

import tempfile

from environs import Env

_env = Env()
if _env.str("LIBRARY_DATA_DIR", None) is None:
    import os

    # Never the developer's own data.
    os.environ["LIBRARY_DATA_DIR"] = tempfile.mkdtemp(prefix="library-test-")

from library.settings.base import *  # noqa: E402,F403

ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# WhiteNoise warns of a missing folder, and in the tests a warning is an error.
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
# Sent to a list in memory (Django's test runner sees to it).
NOTICES_BY_EMAIL = True
# Tests ask more often than people; those about it set it.
API_RATES.clear()
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
