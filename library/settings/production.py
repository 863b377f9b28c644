"""Settings for a public server: everything that matters comes from the environment."""

from environs import validate

from library.settings.base import *  # noqa: F403
from library.settings.base import env

SECRET_KEY = env.str("SECRET_KEY")
# Never keys that were made unasked: nobody would have a copy of them.
for name in ("BORROWER_KEYS", "BORROWER_INDEX_KEY"):
    if env.path(f"{name}_FILE", None) is None:
        env.str(name, validate=validate.Length(min=1))
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS")

SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", True)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# A year, the least the browsers' preload lists take.
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", 31_536_000)
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_SECURE = True
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
