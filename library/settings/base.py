"""Settings shared by every deployment; each is read from the environment or has a reason for its default.

A bad value stops the start with the variable's name (``environs`` raises ``EnvError``): a
misspelt setting must not turn silently into a default.
"""

import os
import tempfile
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

from cryptography.fernet import Fernet
from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.core.management.utils import get_random_secret_key
from environs import Env, validate

from library.settings.api import *  # noqa: F403
from library.settings.classifier import *  # noqa: F403
from library.settings.rules import *  # noqa: F403
from library.settings.schedule import CELERY_BEAT_SCHEDULE as CELERY_BEAT_SCHEDULE
from library.settings.unfold import UNFOLD as UNFOLD

env = Env()

BASE_DIR = Path(__file__).resolve().parents[2]

# One folder holds all state, so a backup or a fresh start is one folder too.
DATA_DIR = Path(env.str("LIBRARY_DATA_DIR", str(BASE_DIR / "var"))).resolve()
MODELS_DIR = DATA_DIR / "models"
# The cache of features: beyond this the longest unused are deleted. It lies in DATA_DIR/cache, which may be
# deleted at any time and needs no backup.
FEATURE_CACHE_BYTES = env.int("FEATURE_CACHE_BYTES", 2_000_000_000)
QUEUE_DIR = DATA_DIR / "queue"
for folder in (DATA_DIR, QUEUE_DIR / "messages", QUEUE_DIR / "control", QUEUE_DIR / "results"):
    folder.mkdir(parents=True, exist_ok=True)


def kept_secret(path: Path, secret: str) -> Path:
    """Keep the secret in a file unless one is there, so that no two installations share one."""
    path.parent.mkdir(mode=0o700, exist_ok=True)
    if not path.exists():
        # Linked when whole, so that another process starting now never reads half a secret.
        with tempfile.NamedTemporaryFile("w", dir=path.parent, encoding="ascii") as file:
            file.write(secret)
            file.flush()
            os.fsync(file.fileno())
            with suppress(FileExistsError):
                os.link(file.name, path)
    return path


SECRET_KEY = env.str("SECRET_KEY", None) or kept_secret(
    DATA_DIR / "secret_key", get_random_secret_key()
).read_text(encoding="ascii")

# The keys of borrowers' personal data: library/people/PRIVACY.md. They may also stand in a file.
BORROWER_KEYS = env.str("BORROWER_KEYS", "")
BORROWER_KEYS_FILE = env.path("BORROWER_KEYS_FILE", None)
if not BORROWER_KEYS and BORROWER_KEYS_FILE is None:
    BORROWER_KEYS_FILE = kept_secret(DATA_DIR / "secrets" / "borrower_keys", Fernet.generate_key().decode())
BORROWER_INDEX_KEY = env.str("BORROWER_INDEX_KEY", "")
BORROWER_INDEX_KEY_FILE = env.path("BORROWER_INDEX_KEY_FILE", None)
if not BORROWER_INDEX_KEY and BORROWER_INDEX_KEY_FILE is None:
    BORROWER_INDEX_KEY_FILE = kept_secret(
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
    # Before all that answer by themselves, as pages of other origins are to read problems too.
    "corsheaders.middleware.CorsMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.locale.LocaleMiddleware",
    # After the language, as problems are told in it; before all that could refuse.
    "library.rest.errors.middleware.Problems",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "library.admin_site.middleware.PagePolicy",
    # Close to the endpoints, as its transaction is to hold what they do and nothing else.
    "library.rest.idempotency.middleware.Idempotency",
    # After all but the clock, as it takes the place of the answer to a sign-in that has to wait.
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
    # WAL lets readers go on while one writer writes; IMMEDIATE queues writers at BEGIN instead of
    # failing them half-way ("database is locked"). https://www.sqlite.org/wal.html
    DATABASES["default"]["OPTIONS"] = {
        "transaction_mode": "IMMEDIATE",
        "timeout": 30,
        # secure_delete: what is forgotten is overwritten, and does not stay in free pages of the file.
        "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA secure_delete=ON;",
    }

# Where all web processes count requests together (API_RATES). Files need no server, and do not write to the
# database for each request that only reads it; several machines need a Redis between them.
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

# The first lets nobody through, and stops those who have to wait.
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "library.people.backends.AuditedBackend"]
# Counted in the database, so that all web processes count together. A name from one address: a whole
# reading room may share an address, and a stranger elsewhere must not lock a librarian out.
AXES_FAILURE_LIMIT = env.int("LOGIN_FAILURES", 5, validate=validate.Range(min=1))
AXES_COOLOFF_TIME = timedelta(minutes=env.int("LOGIN_WAIT_MINUTES", 15, validate=validate.Range(min=1)))
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_LOCKOUT_TEMPLATE = "admin_site/locked.html"
AXES_CLIENT_IP_CALLABLE = "library.rest.auth.throttles.client_address"
# Who signed in is in the audit log.
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

# Never in the table of sessions: what a page reports may name a borrower's card and a title.
MESSAGE_STORAGE = "django.contrib.messages.storage.cookie.CookieStorage"

# Whoever signs in without having asked for a page first.
LOGIN_REDIRECT_URL = "admin:index"

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("zh-hans", "简体中文")]
TIME_ZONE = env.str("TIME_ZONE", "UTC")
USE_TZ = True

STATIC_URL = "static/"
# What stands in the place of the theme's own files: these are found first.
STATICFILES_DIRS = [BASE_DIR / "library" / "admin_site" / "theme"]
# Apart from the state in a container image: its files belong to the code, not to the data volume.
STATIC_ROOT = Path(env.str("STATIC_ROOT", str(DATA_DIR / "static")))
MEDIA_URL = "media/"
MEDIA_ROOT = DATA_DIR / "media"
# The longest request of the API, and the most of a form beside its files.
DATA_UPLOAD_MAX_MEMORY_SIZE = env.int("REQUEST_BYTES", 5_000_000, validate=validate.Range(min=1))

# What pages may load and run: this site's own files, and nothing that someone wrote into a page.
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
# The admin's look is made with Alpine, which reads expressions out of attributes, and with style elements
# of the theme's and of htmx's. Scripts within a page stay forbidden there too.
ADMIN_CONTENT_SECURITY = {"script-src": [UNSAFE_EVAL], "style-src": [UNSAFE_INLINE]}

# The embedded queue: files in a folder, so that a worker and beat need no server.
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
# Runs are long: a worker takes the next one only when it is done with the last.
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_BEAT_SCHEDULER = "library.scheduler:AdminsScheduler"
