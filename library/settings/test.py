"""Test settings: fast password hashing and a separate data folder."""

import tempfile

from environs import Env

_env = Env()
if _env.str("LIBRARY_DATA_DIR", None) is None:
    import os

    # Never use the developer's data.
    os.environ["LIBRARY_DATA_DIR"] = tempfile.mkdtemp(prefix="library-test-")

from library.settings.base import *  # noqa: E402,F403

ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# WhiteNoise warns about a missing folder, and tests treat warnings as errors.
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
# Django's test runner keeps the messages in memory.
NOTICES_BY_EMAIL = True
# Tests send requests faster than people; tests of the limits set their own.
API_RATES.clear()
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
