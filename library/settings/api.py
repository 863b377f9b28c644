"""Settings of the REST API that are the API's alone."""

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
    "classifier": "classifier.selectors.figures",
}

# Pages of other origins that may use the API, which browsers ask before they let them: none unless named.
# With a token only: a session's cookie is never taken from them.
CORS_ALLOWED_ORIGINS: list[str] = env.list("API_ORIGINS", [])
CORS_URLS_REGEX = r"^/api/.*$"
CORS_ALLOW_HEADERS = [*default_headers, "idempotency-key"]
CORS_EXPOSE_HEADERS = ["Deprecation", "Idempotency-Replayed", "Link", "Location", "Retry-After", "Sunset"]
