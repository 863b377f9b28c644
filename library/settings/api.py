"""Settings of the REST API: who may ask for what and how often, how it answers, and its description."""

import re
from ipaddress import ip_network

from corsheaders.defaults import default_headers
from django.core.exceptions import ImproperlyConfigured
from environs import Env, validate

env = Env()

#: The scope that a token needs, by what follows /api/v1/. "catalogue" stands for catalogue:read and
#: catalogue:write; with an empty one, any token will do. No token opens what is not named.
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
    "treasures": "catalogue",
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
    "reclassifications": "reviews",
    "changes": "reviews",
    "misfiled": "reviews",
    "runs": "models",
    "models": "models",
    "alarms": "models",
    "stats": "stats",
}
# How long a token is good for unless something else is asked for: a quarter of a year.
API_TOKEN_DAYS = env.int("API_TOKEN_DAYS", 90, validate=validate.Range(min=1, max=366))


def checked_rates(rates: dict[str, str]) -> dict[str, str]:
    """Return how many requests are answered, by who asks (anonymous, token, session) or by scope."""
    scopes = {"catalogue:read", "catalogue:write", *API_SCOPES.values()} - {"", "catalogue"}
    known = {"anonymous", "token", "session"} | scopes
    for name, rate in rates.items():
        if name not in known or not re.fullmatch(r"[1-9]\d*/(second|minute|hour|day)", rate):
            raise ImproperlyConfigured(
                f"API_RATES has {name}={rate}. Write such as anonymous=60/minute,token=600/minute; the names "
                f"are {', '.join(sorted(known))}, the times second, minute, hour and day."
            )
    return rates


# Strangers read the documentation and ask for tokens; a page of a catalogue takes a handful of requests. To
# classify takes a model. The desk's own pages are not to be held up in a rush.
API_RATES = checked_rates(
    env.dict("API_RATES", {"anonymous": "60/minute", "token": "600/minute", "classify": "60/minute"})
)


def checked_networks(networks: list[str]) -> list[str]:
    """Return addresses and networks, each of which is one."""
    for network in networks:
        try:
            ip_network(network)
        except ValueError as error:
            raise ImproperlyConfigured(f"METRICS_NETWORKS: {error}. Write such as 10.0.0.0/8,::1.") from error
    return networks


# Who may read the metrics. Nobody outside needs to know how busy a library is.
METRICS_NETWORKS = checked_networks(env.list("METRICS_NETWORKS", ["127.0.0.0/8", "::1"]))
#: What /api/v1/status/ and the metrics tell of, by app: functions that return numbers and names by name.
FIGURES = {
    "catalogue": "library.catalogue.selectors.figures",
    "people": "library.people.selectors.figures",
    "circulation": "library.circulation.selectors.figures",
    "classifier": "classifier.selectors.records.figures",
}

# Pages of other origins that may use the API, which browsers ask before they let them: none unless named.
# With a token only: a session's cookie is never taken from them.
CORS_ALLOWED_ORIGINS: list[str] = env.list("API_ORIGINS", [])
CORS_URLS_REGEX = r"^/api/.*$"
CORS_ALLOW_HEADERS = [*default_headers, "idempotency-key"]
CORS_EXPOSE_HEADERS = ["Deprecation", "Idempotency-Replayed", "Link", "Location", "Retry-After", "Sunset"]

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "library.rest.auth.authentication.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.DjangoModelPermissions"],
    "DEFAULT_THROTTLE_CLASSES": [
        "library.rest.auth.throttles.CallerRate",
        "library.rest.auth.throttles.ScopeRate",
    ],
    "DEFAULT_FILTER_BACKENDS": [
        "library.rest.lists.filters.StrictFilters",
        "rest_framework.filters.SearchFilter",
        "library.rest.lists.filters.StableOrdering",
    ],
    "DEFAULT_PAGINATION_CLASS": "library.rest.lists.pages.Pages",
    # JSON only: the browsable pages would list every book in a drop-down. /api/docs/ is for people.
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["library.rest.parsers.StrictJSONParser"],
    "DEFAULT_SCHEMA_CLASS": "library.rest.schema.schema.ApiSchema",
    "EXCEPTION_HANDLER": "library.rest.errors.handler.error_response",
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
        "library.rest.schema.schema.add_tables",
        "library.rest.schema.schema.add_problems",
        "library.rest.schema.schema.add_idempotency_key",
        "library.rest.schema.schema.add_examples",
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
