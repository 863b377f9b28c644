"""Settings for a public server: the environment must set secrets and hosts; invalid values stop startup."""

from django.core.exceptions import ImproperlyConfigured
from environs import validate

from library.settings.base import *  # noqa: F403
from library.settings.base import env

#: Django's limits (security.W009): 50 characters, 5 different ones.
_MIN_KEY_LENGTH, _MIN_KEY_CHARACTERS = 50, 5
_HOW_TO_CREATE = """Create one with: python -c "import secrets; print(secrets.token_urlsafe(50))"."""


def checked_secret_key(key: str) -> str:
    """Return the key if it cannot be guessed: anyone who knows it can sign in as any user."""
    if not key:
        raise ImproperlyConfigured(f"SECRET_KEY is empty. {_HOW_TO_CREATE}")
    if key.startswith("django-insecure-"):
        raise ImproperlyConfigured(f"SECRET_KEY is a publicly known example. {_HOW_TO_CREATE}")
    if len(key) < _MIN_KEY_LENGTH:
        raise ImproperlyConfigured(
            f"SECRET_KEY has {len(key)} characters; at least {_MIN_KEY_LENGTH} are required. {_HOW_TO_CREATE}"
        )
    if len(set(key)) < _MIN_KEY_CHARACTERS:
        raise ImproperlyConfigured(f"SECRET_KEY has too few different characters. {_HOW_TO_CREATE}")
    return key


def checked_hosts(hosts: list[str]) -> list[str]:
    """Return the host names of the library; without a fixed list, links could be forged."""
    names = [host.strip() for host in hosts if host.strip()]
    if not names or "*" in names:
        raise ImproperlyConfigured(
            f"ALLOWED_HOSTS is {','.join(hosts) or 'empty'}. List the host names of the library, separated "
            "by commas, for example library.example."
        )
    return names


def checked_origins(origins: list[str]) -> list[str]:
    """Return the origins that may submit forms; over HTTP, a form could be forged on the way."""
    for origin in origins:
        if not origin.startswith("https://"):
            raise ImproperlyConfigured(
                f"CSRF_TRUSTED_ORIGINS contains {origin}. Start each origin with https://, for example "
                "https://library.example."
            )
    return origins


def checked_seconds(seconds: int) -> int:
    """Return how long browsers require HTTPS; Django would send 0, which cancels the requirement."""
    if seconds < 1:
        raise ImproperlyConfigured(
            f"SECURE_HSTS_SECONDS is {seconds}. It must be at least 1; 31536000 is a year. "
            "Use 60 to try out HTTPS."
        )
    return seconds


SECRET_KEY = checked_secret_key(env.str("SECRET_KEY"))
ALLOWED_HOSTS = checked_hosts(env.list("ALLOWED_HOSTS"))
CSRF_TRUSTED_ORIGINS = checked_origins(env.list("CSRF_TRUSTED_ORIGINS", []))
# Generated keys are not allowed here, because no backup of them would exist.
for name in ("BORROWER_KEYS", "BORROWER_INDEX_KEY"):
    if env.path(f"{name}_FILE", None) is None:
        env.str(name, validate=validate.Length(min=1))

if DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql":
    # A new connection takes longer than a checkout. Health checks replace broken connections.
    DATABASES["default"] |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}

# Compression shrinks pages to a fifth. Static files are compressed in advance. Against attacks on
# compression, Django masks the form token, the only secret in a page, differently in every response.
MIDDLEWARE.insert(
    MIDDLEWARE.index("whitenoise.middleware.WhiteNoiseMiddleware") + 1,
    "library.admin_site.middleware.CompressionMiddleware",
)

SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", True)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# A year, the minimum for the browsers' preload lists.
SECURE_HSTS_SECONDS = checked_seconds(env.int("SECURE_HSTS_SECONDS", 31_536_000))
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
# The prefix makes browsers reject cookies set without HTTPS or by another host of the same domain.
SESSION_COOKIE_NAME = "__Host-sessionid"
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_NAME = "__Host-csrftoken"
CSRF_COOKIE_SECURE = True
LANGUAGE_COOKIE_SECURE = True
# Staff computers are shared: a session lasts a working day, and ends when the browser closes.
SESSION_COOKIE_AGE = 12 * 60 * 60
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
