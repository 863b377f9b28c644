"""Settings of the REST API: scopes, rate limits, responses and schema."""

import re
from ipaddress import ip_network

from corsheaders.defaults import default_headers
from django.core.exceptions import ImproperlyConfigured
from environs import Env, validate

env = Env()

#: Scope that a token needs, by the path segment after /api/v1/. "catalogue" means catalogue:read or
#: catalogue:write; an empty scope allows any token. Tokens have no access to other paths.
API_SCOPES = {
    "token": "",
    "tokens": "",
    "status": "",
    "books": "catalogue",
    "copies": "catalogue",
    "categories": "catalogue",
    "branches": "catalogue",
    "item-types": "catalogue",
    "taxonomy-changes": "catalogue",
    "popular": "catalogue",
    "trending": "catalogue",
    "latest": "catalogue",
    "hidden-gems": "catalogue",
    "loans": "circulation",
    "holds": "circulation",
    "fines": "circulation",
    "notices": "circulation",
    "loan-policies": "circulation",
    "closed-days": "circulation",
    "borrowers": "borrowers",
    "borrower-categories": "borrowers",
    "recommendations": "borrowers",
    "feedback": "borrowers",
    "classify": "classify",
    "suggestions": "reviews",
    "reviews": "reviews",
    "batches": "reviews",
    "changes": "reviews",
    "misfiled": "reviews",
    "runs": "models",
    "models": "models",
    "alerts": "models",
    "stats": "stats",
}
# Default validity of a token: a quarter of a year.
API_TOKEN_DAYS = env.int("API_TOKEN_DAYS", 90, validate=validate.Range(min=1, max=366))


def checked_rates(rates: dict[str, str]) -> dict[str, str]:
    """Return valid rate limits by kind of caller (anonymous, token, session) or by scope."""
    scopes = {"catalogue:read", "catalogue:write", *API_SCOPES.values()} - {"", "catalogue"}
    names = {"anonymous", "token", "session"} | scopes
    for name, rate in rates.items():
        if name not in names or not re.fullmatch(r"[1-9]\d*/(second|minute|hour|day)", rate):
            raise ImproperlyConfigured(
                f"API_RATES contains {name}={rate}. Write for example anonymous=60/minute,token=600/minute; "
                f"names: {', '.join(sorted(names))}; periods: second, minute, hour, day."
            )
    return rates


# Anonymous clients read the documentation and request tokens; a catalogue page needs a few requests.
# Classification runs a model. Sessions of staff are not limited, so that rush hours do not block them.
_entries = env.list("API_RATES", ["anonymous=60/minute", "token=600/minute", "classify=60/minute"])
_rates = (entry.partition("=") for entry in _entries)
API_RATES = checked_rates({name.strip(): rate.strip() for name, _, rate in _rates})


def checked_networks(networks: list[str]) -> list[str]:
    """Return valid IP addresses and networks."""
    for network in networks:
        try:
            ip_network(network)
        except ValueError as error:
            raise ImproperlyConfigured(
                f"METRICS_NETWORKS: {error}. Use a format such as 10.0.0.0/8,::1."
            ) from error
    return networks


# Networks that may read the metrics, which show how busy a library is.
METRICS_NETWORKS = checked_networks(env.list("METRICS_NETWORKS", ["127.0.0.0/8", "::1"]))
#: Functions that return the installation counts for /api/v1/status/ and the metrics, by app.
INSTALLATION_COUNTS = {
    "catalogue": "library.catalogue.selectors.installation_counts",
    "people": "library.people.selectors.installation_counts",
    "circulation": "library.circulation.selectors.installation_counts",
    "classifier": "classifier.selectors.records.installation_counts",
}

# Origins whose pages may call the API from a browser (CORS). They need a token: session cookies are not
# accepted.
CORS_ALLOWED_ORIGINS: list[str] = env.list("API_ORIGINS", [])
CORS_URLS_REGEX = r"^/api/.*$"
CORS_ALLOW_HEADERS = [*default_headers, "idempotency-key"]
CORS_EXPOSE_HEADERS = ["Idempotency-Replayed", "Location", "Retry-After"]

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "library.rest.auth.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.DjangoModelPermissions"],
    "DEFAULT_THROTTLE_CLASSES": [
        "library.rest.auth.throttles.CallerRateThrottle",
        "library.rest.auth.throttles.ScopeRateThrottle",
    ],
    "DEFAULT_FILTER_BACKENDS": [
        "library.rest.lists.filters.StrictFilters",
        "rest_framework.filters.SearchFilter",
        "library.rest.lists.filters.StableOrdering",
    ],
    "DEFAULT_PAGINATION_CLASS": "library.rest.lists.pages.NumberedPages",
    # JSON only: the browsable API would list every book in a drop-down. /api/docs/ is for people.
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["library.rest.parsers.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "library.rest.schema.schema.ApiSchema",
    "EXCEPTION_HANDLER": "library.rest.errors.handler.error_response",
    # Number of proxies in front that add to X-Forwarded-For. If it is too low, all clients share one address
    # in the rate limits; if it is too high, a client can forge its address.
    "NUM_PROXIES": env.int("NUM_PROXIES", 0, validate=validate.Range(min=0)),
}

SPECTACULAR_SETTINGS = {
    "TITLE": "Library",
    "DESCRIPTION": "Catalogue, loans, suggested categories and recommendations.",
    "VERSION": "1",
    "OAS_VERSION": "3.1.1",
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "library.rest.schema.schema.add_csv_responses",
        "library.rest.schema.schema.add_problems",
        "library.rest.schema.schema.add_idempotency_key",
        "library.rest.schema.schema.add_examples",
    ],
    "SCHEMA_PATH_PREFIX": "/api/v1",
    "SERVE_INCLUDE_SCHEMA": False,
    "COMPONENT_SPLIT_REQUEST": True,
    "ENUM_NAME_OVERRIDES": {
        "CopyStatusEnum": "library.catalogue.models.Copy.Status",
        "BatchStateEnum": "classifier.models.Batch.State",
        "ChangeKindEnum": "classifier.models.Change.Kind",
        "RunKindEnum": "classifier.models.Run.Kind",
        "ModelVersionStateEnum": "classifier.models.ModelVersion.State",
        "ReviewVerdictEnum": "classifier.models.Review.Verdict",
        "FeedbackVerdictEnum": "classifier.models.Feedback.Verdict",
        "RunStatusEnum": "classifier.models.Run.Status",
        "HoldStatusEnum": "library.circulation.models.Hold.Status",
        "TaxonomyChangeKindEnum": "library.catalogue.models.TaxonomyChange.Kind",
    },
    # From the installed package, not from another host.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
}
