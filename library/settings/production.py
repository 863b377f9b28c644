"""Settings for a public server: what matters comes from the environment, and bad values stop the start."""

from django.core.exceptions import ImproperlyConfigured
from environs import validate

from library.settings.base import *  # noqa: F403
from library.settings.base import env

#: As Django's own check counts them (security.W009): 50 characters, 5 different ones.
_LEAST_CHARACTERS, _LEAST_DIFFERENT = 50, 5
_MAKE_ONE = """Make one with: python -c "import secrets; print(secrets.token_urlsafe(50))"."""


def checked_secret_key(key: str) -> str:
    """Return a key that nobody can guess: who knows it can sign in as anyone."""
    if not key:
        raise ImproperlyConfigured(f"SECRET_KEY is empty. {_MAKE_ONE}")
    if key.startswith("django-insecure-"):
        raise ImproperlyConfigured(f"SECRET_KEY is an example's, which everyone knows. {_MAKE_ONE}")
    if len(key) < _LEAST_CHARACTERS:
        raise ImproperlyConfigured(
            f"SECRET_KEY has {len(key)} characters; {_LEAST_CHARACTERS} are the least. {_MAKE_ONE}"
        )
    if len(set(key)) < _LEAST_DIFFERENT:
        raise ImproperlyConfigured(f"SECRET_KEY repeats a few characters and can be guessed. {_MAKE_ONE}")
    return key


def checked_hosts(hosts: list[str]) -> list[str]:
    """Return the names that the library is reached by; with any name at all, links could be forged."""
    named = [host.strip() for host in hosts if host.strip()]
    if not named or "*" in named:
        raise ImproperlyConfigured(
            f"ALLOWED_HOSTS is {','.join(hosts) or 'empty'}. Name the hosts that the library is reached by, "
            "with commas between, such as library.example."
        )
    return named


def checked_origins(origins: list[str]) -> list[str]:
    """Return the origins that forms may come from; over http, anyone on the way could send them."""
    for origin in origins:
        if not origin.startswith("https://"):
            raise ImproperlyConfigured(
                f"CSRF_TRUSTED_ORIGINS has {origin}. Put https:// before each, such as https://library.example."
            )
    return origins


def checked_seconds(seconds: int) -> int:
    """Return how long browsers insist on https; Django would send 0, which takes the promise back."""
    if seconds < 1:
        raise ImproperlyConfigured(
            f"SECURE_HSTS_SECONDS is {seconds}. It must be 1 or more; 31536000 is a year. "
            "To try out https, take 60."
        )
    return seconds


SECRET_KEY = checked_secret_key(env.str("SECRET_KEY"))
ALLOWED_HOSTS = checked_hosts(env.list("ALLOWED_HOSTS"))
CSRF_TRUSTED_ORIGINS = checked_origins(env.list("CSRF_TRUSTED_ORIGINS", []))
# Never keys that were made unasked: nobody would have a copy of them.
for name in ("BORROWER_KEYS", "BORROWER_INDEX_KEY"):
    if env.path(f"{name}_FILE", None) is None:
        env.str(name, validate=validate.Length(min=1))

if DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql":
    # To connect takes longer than to lend a copy. One that broke meanwhile is noticed and made anew.
    DATABASES["default"] |= {"CONN_MAX_AGE": 60, "CONN_HEALTH_CHECKS": True}

# A page is a fifth as long when it is packed, which a slow line shows. Static files are packed in advance.
# What is secret in a page, the form's token, is masked anew in each, so that its length gives nothing away.
MIDDLEWARE.insert(
    MIDDLEWARE.index("whitenoise.middleware.WhiteNoiseMiddleware") + 1,
    "library.admin_site.middleware.PackedPages",
)

SECURE_SSL_REDIRECT = env.bool("SECURE_SSL_REDIRECT", True)
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
# A year, the least the browsers' preload lists take.
SECURE_HSTS_SECONDS = checked_seconds(env.int("SECURE_HSTS_SECONDS", 31_536_000))
SECURE_HSTS_INCLUDE_SUBDOMAINS = True
SECURE_HSTS_PRELOAD = True
# The prefix makes browsers refuse one that came without https or from another host below the same name.
SESSION_COOKIE_NAME = "__Host-sessionid"
SESSION_COOKIE_SECURE = True
CSRF_COOKIE_NAME = "__Host-csrftoken"
CSRF_COOKIE_SECURE = True
LANGUAGE_COOKIE_SECURE = True
# A desk's computer is shared: a day's work, and no longer than the browser is open.
SESSION_COOKIE_AGE = 12 * 60 * 60
SESSION_EXPIRE_AT_BROWSER_CLOSE = True
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
