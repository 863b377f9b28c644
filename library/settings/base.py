"""Settings shared by all deployments, read from the environment.

An invalid value stops startup with the name of the variable (``EnvError`` or ``ImproperlyConfigured``, which
`library.startup` prints in one line), so it never silently becomes the default.
"""

import os
import tempfile
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cryptography.fernet import Fernet
from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key
from environs import Env, validate

from library.settings.api import *  # noqa: F403
from library.settings.classifier import *  # noqa: F403
from library.settings.rules import *  # noqa: F403
from library.settings.schedule import CELERY_BEAT_SCHEDULE as CELERY_BEAT_SCHEDULE
from library.settings.unfold import UNFOLD as UNFOLD

env = Env()

BASE_DIR = Path(__file__).resolve().parents[2]

# One folder holds all state, which makes backups and fresh starts simple.
DATA_DIR = Path(env.str("LIBRARY_DATA_DIR", str(BASE_DIR / "var"))).resolve()
MODELS_DIR = DATA_DIR / "models"
# Size limit of the feature cache, which evicts the least recently used entries. It is in DATA_DIR/cache,
# which needs no backup and may be deleted at any time.
FEATURE_CACHE_BYTES = env.int("FEATURE_CACHE_BYTES", 2_000_000_000)
# Web processes start the model server themselves, if none runs. In production a supervisor starts it.
MODEL_SERVER_AUTOSTART = False
QUEUE_DIR = DATA_DIR / "queue"
try:
    for folder in (DATA_DIR, QUEUE_DIR / "messages", QUEUE_DIR / "control", QUEUE_DIR / "results"):
        folder.mkdir(parents=True, exist_ok=True)
except OSError as error:
    raise ImproperlyConfigured(
        f"LIBRARY_DATA_DIR is {DATA_DIR}, where no folder can be created ({error.strerror}). Name a folder "
        "that the library may write to."
    ) from error


def secret_file(path: Path, secret: str) -> Path:
    """Write the secret to a file unless it exists, so that every installation has its own."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    if not path.exists():
        # Linked when complete, so that a process starting at the same time never reads half a secret.
        with tempfile.NamedTemporaryFile("w", dir=path.parent, encoding="ascii") as file:
            file.write(secret)
            file.flush()
            os.fsync(file.fileno())
            with suppress(FileExistsError):
                os.link(file.name, path)
    return path


def checked_time_zone(name: str) -> str:
    """Return the name of a time zone that exists."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ImproperlyConfigured(
            f"TIME_ZONE is {name or 'empty'}, which is not a time zone. Use a name such as Europe/Berlin."
        ) from error
    return name


SECRET_KEY = env.str("SECRET_KEY", None) or secret_file(
    DATA_DIR / "secret_key", get_random_secret_key()
).read_text(encoding="ascii")

# Keys of borrowers' personal data (library/people/PRIVACY.md), from the environment or from files.
BORROWER_KEYS = env.str("BORROWER_KEYS", "")
BORROWER_KEYS_FILE = env.path("BORROWER_KEYS_FILE", None)
if not BORROWER_KEYS and BORROWER_KEYS_FILE is None:
    BORROWER_KEYS_FILE = secret_file(DATA_DIR / "secrets" / "borrower_keys", Fernet.generate_key().decode())
BORROWER_INDEX_KEY = env.str("BORROWER_INDEX_KEY", "")
BORROWER_INDEX_KEY_FILE = env.path("BORROWER_INDEX_KEY_FILE", None)
if not BORROWER_INDEX_KEY and BORROWER_INDEX_KEY_FILE is None:
    BORROWER_INDEX_KEY_FILE = secret_file(
        DATA_DIR / "secrets" / "borrower_index_key", Fernet.generate_key().decode()
    )

DEBUG = False
ALLOWED_HOSTS: list[str] = env.list("ALLOWED_HOSTS", [])
CSRF_TRUSTED_ORIGINS: list[str] = env.list("CSRF_TRUSTED_ORIGINS", [])

INSTALLED_APPS = [
    "unfold",
    "unfold.contrib.filters",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "rest_framework",
    "corsheaders",
    "django_filters",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "django_celery_beat",
    "axes",
    "csp",
    "library.admin_site",
    "library.rest",
    "library.catalogue",
    "library.people",
    "library.circulation",
    "library.analytics",
    "classifier",
]

MIDDLEWARE = [
    "django_prometheus.middleware.PrometheusBeforeMiddleware",
    # Before middleware that may respond itself, so that pages of other origins can read errors too.
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    # After the language, which error messages need, and before middleware that may reject a request.
    "library.rest.errors.middleware.ProblemMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "library.admin_site.middleware.ContentSecurityPolicyMiddleware",
    # Close to the endpoints, so that its transaction covers only their work.
    "library.rest.idempotency.middleware.IdempotencyMiddleware",
    # After all others except the metrics, because it replaces the response to a sign-in that is locked out.
    "axes.middleware.AxesMiddleware",
    "django_prometheus.middleware.PrometheusAfterMiddleware",
]

ROOT_URLCONF = "library.urls"
WSGI_APPLICATION = "library.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
        },
    },
]

DATABASES = {"default": env.dj_db_url("DATABASE_URL", f"sqlite:///{DATA_DIR / 'library.sqlite3'}")}
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    # WAL lets readers continue while a process writes. IMMEDIATE queues writers at BEGIN instead of failing
    # them later ("database is locked"). https://www.sqlite.org/wal.html
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        # secure_delete overwrites deleted data, so that it does not remain in free pages of the file.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA secure_delete=ON;",
    }

# Shared by all web processes to count requests (API_RATES). Files need no server and cause no database write
# for each read request; several machines need a shared Redis.
CACHE_URL = env.str("CACHE_URL", "")
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": CACHE_URL}
    if CACHE_URL
    else {
        "BACKEND": "django.core.cache.backends.filebased.FileBasedCache",
        "LOCATION": str(DATA_DIR / "cache" / "requests"),
        "OPTIONS": {"MAX_ENTRIES": 10_000},
    }
}

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# The first backend authenticates no one; it rejects locked-out sign-ins.
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "library.people.backends.AuditedBackend"]
# Failures are counted in the database, shared by all web processes, by user name and address together: a
# reading room may share an address, and an outsider must not be able to lock out a librarian.
AXES_FAILURE_LIMIT = env.int("LOGIN_FAILURES", 5, validate=validate.Range(min=1))
AXES_COOLOFF_TIME = timedelta(minutes=env.int("LOGIN_LOCKOUT_MINUTES", 15, validate=validate.Range(min=1)))
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_TEMPLATE = "admin_site/locked.html"
AXES_CLIENT_IP_CALLABLE = "library.rest.auth.throttles.client_address"
# The audit log records sign-ins.
AXES_DISABLE_ACCESS_LOG = True
AXES_VERBOSE = False

AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]

# Not in the session table: a message may contain a borrower's card number and a title.
MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"

LOGIN_REDIRECT_URL = "admin:index"

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
# Before the catalogues of the apps, so that it can replace texts of Django and of the theme.
LOCALE_PATHS = [BASE_DIR / "library" / "admin_site" / "locale"]
TIME_ZONE = checked_time_zone(env.str("TIME_ZONE", "UTC"))
USE_TZ = True

STATIC_URL = "static/"
# Outside the data folder in a container image, because the files belong to the code.
STATIC_ROOT = Path(env.str("STATIC_ROOT", str(DATA_DIR / "static")))
MEDIA_URL = "media/"
MEDIA_ROOT = DATA_DIR / "media"
# Largest API request, and largest form without its files.
DATA_UPLOAD_MAX_MEMORY_SIZE = env.int("MAX_REQUEST_BYTES", 5_000_000, validate=validate.Range(min=1))

# Pages may load and run only this site's files; injected scripts do not run.
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [NONE],
        "base-uri": [NONE],
        "connect-src": [SELF],
        "font-src": [SELF],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
        "img-src": [SELF, "data:"],
        "media-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
    },
}
# The admin theme uses Alpine, which evaluates expressions in attributes, and style elements of its own and of
# htmx. Inline scripts remain forbidden.
ADMIN_CONTENT_SECURITY_POLICY = {"script-src": [UNSAFE_EVAL], "style-src": [UNSAFE_INLINE]}

# Embedded queue: files in a folder, so that worker and beat need no server.
CELERY_BROKER_URL = env.str("CELERY_BROKER_URL", "filesystem://")
if CELERY_BROKER_URL.startswith("filesystem:"):
    CELERY_BROKER_TRANSPORT_OPTIONS = {
        "data_folder_in": str(QUEUE_DIR / "messages"),
        "data_folder_out": str(QUEUE_DIR / "messages"),
        "control_folder": str(QUEUE_DIR / "control"),
    }
CELERY_RESULT_BACKEND = env.str("CELERY_RESULT_BACKEND", (QUEUE_DIR / "results").as_uri())
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_TIMEZONE = TIME_ZONE
# Runs are long: a worker reserves no task while it works on another.
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BEAT_SCHEDULER = "library.scheduler:AdminScheduler"
