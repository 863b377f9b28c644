"""Settings for one's own machine: DEBUG pages, this machine only."""

from library.settings.base import *  # noqa: F403

DEBUG = True
ALLOWED_HOSTS = ["localhost", "127.0.0.1", "[::1]"]
