"""Settings shared by every deployment; each is read from the environment or has a reason for its default.

A bad value stops the start with the variable's name (``environs`` raises ``EnvError``): a
misspelt setting must not turn silently into a default.
"""

import os
import tempfile
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from cryptography.fernet import Fernet
from csp.constants import NONE, SELF, UNSAFE_EVAL, UNSAFE_INLINE
from django.core.exceptions import ImproperlyConfigured
from django.core.management.utils import get_random_secret_key
from environs import Env, validate

from library.settings.api import *  # noqa: F403
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
# Share of right answers wanted among those the classifier gives; below it, it says "no suggestion".
SUGGESTION_PRECISION = env.float(
    "SUGGESTION_PRECISION",
    0.90,
    validate=validate.Range(min=0, max=1, min_inclusive=False, max_inclusive=False),
)
# Whether a newly trained version takes over: "automatic" if it passes the gate, "manual" when a person
# promotes it, "never" where an installation is to keep the version it has.
PROMOTION = env.str("PROMOTION", "automatic", validate=validate.OneOf(["automatic", "manual", "never"]))
# How much lower its macro-F1 may be to pass: a point is less than what another seed brings.
PROMOTION_TOLERANCE = env.float("PROMOTION_TOLERANCE", 0.01, validate=validate.Range(min=0, max=1))
# How many old versions keep their files, beside the active one, the one before it and the pinned ones: five
# weeks of weekly trainings.
VERSIONS_KEPT = env.int("VERSIONS_KEPT", 5, validate=validate.Range(min=0))
# How sure the classifier must be that a book is of another category than a person or an import filed it
# under, for it to be listed as possibly misfiled: surer than of a suggestion, as somebody has decided.
MISFILED_PROBABILITY = env.float(
    "MISFILED_PROBABILITY", 0.95, validate=validate.Range(min=0.5, max=1, max_inclusive=False)
)
# Who owes more than this borrows nothing more, in the library's currency.
FINE_LIMIT = env.decimal("FINE_LIMIT", Decimal(10), validate=validate.Range(min=0))
# How long a copy waits on the hold shelf before the next borrower has it: a week, so that every borrower has
# a day off work in it.
HOLD_SHELF_DAYS = env.int("HOLD_SHELF_DAYS", 7, validate=validate.Range(min=1))
# What borrowers are told by e-mail. Without a mail server all notices are left to be printed.
EMAIL_URL = env.str("EMAIL_URL", "")
NOTICES_BY_EMAIL = bool(EMAIL_URL)
if NOTICES_BY_EMAIL:
    mail_server = env.dj_email_url("EMAIL_URL")
    if not mail_server.get("EMAIL_BACKEND") or not mail_server["EMAIL_HOST"]:
        raise ImproperlyConfigured(
            "EMAIL_URL names no mail server. Write submission://name:password@mail.example.org:587 (TLS), or "
            "smtp:// in front where there is no TLS."
        )
    globals().update(mail_server)
# Seconds; a mail server that hangs must not hold up the task for ever.
EMAIL_TIMEOUT = env.int("EMAIL_TIMEOUT", 30, validate=validate.Range(min=1))
DEFAULT_FROM_EMAIL = env.str("NOTICES_FROM", "library@localhost", validate=validate.Email())
LIBRARY_NAME = env.str("LIBRARY_NAME", "Library")
NOTICE_LANGUAGE = env.str("NOTICE_LANGUAGE", "en", validate=validate.OneOf(["en", "zh-hans"]))
# How many days before it is due a loan is called to mind; 0: never.
NOTICE_DAYS_BEFORE = env.int("NOTICE_DAYS_BEFORE", 3, validate=validate.Range(min=0))
# How many days late a loan is at the first, second and third overdue notice: the day after, then after one
# and three weeks more.
NOTICE_DAYS_AFTER = env.list("NOTICE_DAYS_AFTER", [1, 8, 29], subcast=int, validate=validate.Length(max=3))
# What is older is left to people: imported loans may be years late.
NOTICE_MOST_DAYS = env.int("NOTICE_MOST_DAYS", 90, validate=validate.Range(min=1))
if [0, *NOTICE_DAYS_AFTER, NOTICE_MOST_DAYS] != sorted({0, *NOTICE_DAYS_AFTER, NOTICE_MOST_DAYS}):
    raise ImproperlyConfigured(
        f"NOTICE_DAYS_AFTER is {NOTICE_DAYS_AFTER}. Name days from 1 on, each later than the one before and "
        f"earlier than NOTICE_MOST_DAYS ({NOTICE_MOST_DAYS}), such as 1,8,29."
    )
# How long the audit log says who looked at whom; 0 keeps all. The database itself keeps entries for 180 days,
# so less than 6 months cannot be had. Two years: a misuse is often told late.
AUDIT_MONTHS = env.int(
    "AUDIT_MONTHS",
    24,
    validate=[validate.Range(min=0), validate.NoneOf(range(1, 6), error="0, or 6 and more")],
)
# How long it is remembered who had borrowed what, for those borrowers who leave it to the library: two years
# let a reader find again what was read last year. 0 forgets at return; a hundred years is for ever.
RETENTION_MONTHS = env.int("RETENTION_MONTHS", 24, validate=validate.Range(min=0, max=1200))
# Of how many different borrowers a pair of titles must have been, for it to be kept when they are forgotten.
# Five, the least that statistical offices commonly publish; with one, the pair would be the person.
CO_BORROWING_MIN = env.int("CO_BORROWING_MIN", 5, validate=validate.Range(min=2))
# How many borrowers must have had both of two titles for recommendations to learn from it: see
# classifier/RECOMMENDATIONS.md for what more of them cost and bring.
RECOMMEND_MIN_BORROWERS = env.int("RECOMMEND_MIN_BORROWERS", 2, validate=validate.Range(min=2))
# How many loans of a title, at a branch, there must be for the lists of popular and trending titles to tell
# of them. As many as people of a pair; people cannot be counted, as who they were is forgotten.
POPULARITY_MIN = env.int("POPULARITY_MIN", 5, validate=validate.Range(min=2))
# A title with more active holds a copy than this is suggested for purchase: with four-week loans, the last of
# four waits for four months.
HOLDS_PER_COPY = env.int("HOLDS_PER_COPY", 4, validate=validate.Range(min=1))
# What nobody has borrowed for so many years is suggested for weeding, and called old when it appeared so many
# years ago. CREW gives both by subject, mostly from 2 to 5 and from 5 to 15: these lie between.
WEEDING_YEARS_UNBORROWED = env.int("WEEDING_YEARS_UNBORROWED", 3, validate=validate.Range(min=1, max=100))
WEEDING_YEARS_OLD = env.int("WEEDING_YEARS_OLD", 10, validate=validate.Range(min=1, max=500))
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
    "library.desk",
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
    "library.rest.middleware.Problems",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "library.desk.middleware.PagePolicy",
    # Close to the endpoints, as its transaction is to hold what they do and nothing else.
    "library.rest.idempotency.Idempotency",
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
AXES_LOCKOUT_TEMPLATE = "desk/locked.html"
AXES_CLIENT_IP_CALLABLE = "library.rest.throttles.client_address"
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
STATICFILES_DIRS = [BASE_DIR / "library" / "desk" / "theme"]
# Apart from the state in a container image: its files belong to the code, not to the data volume.
STATIC_ROOT = Path(env.str("STATIC_ROOT", str(DATA_DIR / "static")))
MEDIA_URL = "media/"
MEDIA_ROOT = DATA_DIR / "media"
# The longest request of the API, and the most of a form beside its files.
DATA_UPLOAD_MAX_MEMORY_SIZE = env.int("REQUEST_BYTES", 5_000_000, validate=validate.Range(min=1))

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "library.rest.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.DjangoModelPermissions"],
    "DEFAULT_THROTTLE_CLASSES": ["library.rest.throttles.CallerRate", "library.rest.throttles.ScopeRate"],
    "DEFAULT_FILTER_BACKENDS": [
        "library.rest.filters.StrictFilters",
        "rest_framework.filters.SearchFilter",
        "library.rest.filters.StableOrdering",
    ],
    "DEFAULT_PAGINATION_CLASS": "library.rest.pages.Pages",
    # JSON only: the browsable pages would list every book in a drop-down. /api/docs/ is for people.
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["library.rest.parsers.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "library.rest.schema.ApiSchema",
    "EXCEPTION_HANDLER": "library.rest.errors.error_response",
    # How many proxies stand in front, each adding to X-Forwarded-For. With too few named, all of the world
    # is one address to the throttles; with too many, anyone can claim any address.
    "NUM_PROXIES": env.int("NUM_PROXIES", 0, validate=validate.Range(min=0)),
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Library",
    "DESCRIPTION": "Catalogue, loans, suggested categories and recommendations.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "library.rest.schema.add_tables",
        "library.rest.schema.add_problems",
        "library.rest.schema.add_idempotency_key",
        "library.rest.schema.add_examples",
    ],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "CopyStatusEnum": "library.catalogue.models.Copy.Status",
        "ReclassificationStateEnum": "classifier.models.Reclassification.State",
        "ChangeKindEnum": "classifier.models.Change.Kind",
        "RunKindEnum": "classifier.models.Run.Kind",
        "ModelVersionStateEnum": "classifier.models.ModelVersion.State",
        "ReviewVerdictEnum": "classifier.models.Review.Verdict",
        "FeedbackVerdictEnum": "classifier.models.Feedback.Verdict",
        "RunStatusEnum": "classifier.models.Run.Status",
        "HoldStatusEnum": "library.circulation.models.Hold.Status",
        "TaxonomyChangeKindEnum": "library.catalogue.models.TaxonomyChange.Kind",
    },
    # From the package beside, not from a foreign host.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}


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
# How long a run may be silent before its worker is taken for dead: many heartbeats, and the longest that a
# write may have to wait on a busy database.
RUN_LOST_SECONDS = env.int("RUN_LOST_SECONDS", 60, validate=validate.Range(min=1))
# How long a run may stay queued before its message is taken for lost. One that is sent twice does no harm.
RUN_RESEND_SECONDS = env.int("RUN_RESEND_SECONDS", 600, validate=validate.Range(min=1))
# Books that were lent or held for in so many months are reviewed before those that nobody asks for.
REVIEW_MONTHS = env.int("REVIEW_MONTHS", 12, validate=validate.Range(min=1))
# How long a book is one reviewer's own; unanswered for longer, another gets it.
REVIEW_LOCK_MINUTES = env.int("REVIEW_LOCK_MINUTES", 15, validate=validate.Range(min=1))
CELERY_BEAT_SCHEDULER = "library.desk.beat:AdminsScheduler"
