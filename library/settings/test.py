"""Test settings: fast password hashing and a data folder for each test process."""

import os
import tempfile

# Never use the developer's data, and share no folder between test processes: tests count files and messages.
# The mark keeps the folder for programs that a test starts.
if "LIBRARY_DATA_DIR" not in os.environ or (
    "PYTEST_XDIST_WORKER" in os.environ and "LIBRARY_TEST_FOLDER" not in os.environ
):
    os.environ["LIBRARY_DATA_DIR"] = tempfile.mkdtemp(
        prefix="library-test-", dir=os.environ.get("LIBRARY_DATA_DIR")
    )
    if "PYTEST_XDIST_WORKER" in os.environ:
        os.environ["LIBRARY_TEST_FOLDER"] = os.environ["LIBRARY_DATA_DIR"]

from library.settings.base import *  # noqa: F403

ALLOWED_HOSTS = ["testserver", "localhost", "127.0.0.1"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
# WhiteNoise warns about a missing folder, and tests treat warnings as errors.
STATIC_ROOT.mkdir(parents=True, exist_ok=True)
# Django's test runner keeps the messages in memory.
NOTICES_BY_EMAIL = True
# Tests send requests faster than people; tests of the limits set their own.
API_RATES.clear()
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}
