"""Who is counted as one and the same when requests are counted, and how many are answered."""

from typing import TYPE_CHECKING

from django.conf import settings
from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle, SimpleRateThrottle

from library.rest.models import ApiToken
from library.rest.scopes import scope_of

if TYPE_CHECKING:
    # Which loads this module, as the settings name it.
    from rest_framework.views import APIView


def client_address(request: HttpRequest) -> str:
    """Return the address a request came from, as REST framework tells it.

    Parameters
    ----------
    request : HttpRequest

    Returns
    -------
    str
        Behind as many proxies as the setting ``NUM_PROXIES`` says, what the outermost of them wrote into
        X-Forwarded-For; without any, the other end of the connection. What a client writes there itself
        does not count.
    """
    address: str = BaseThrottle().get_ident(request)  # type: ignore[arg-type]
    return address


class CallerRate(SimpleRateThrottle):
    """So many requests of one token, one user's session, or one stranger's address (``API_RATES``).

    One number is kept for each minute (second, hour, day) of the clock; REST framework's own keeps the moment
    of every request, and reads and writes all of them at each.
    """

    scope = "caller"

    def __init__(self) -> None:
        """Leave the rate to the request."""

    def allow_request(self, request: Request, view: "APIView") -> bool:
        rate = settings.API_RATES.get(self.group_of(request))
        if rate is None:
            return True
        most, seconds = self.parse_rate(rate)
        assert most is not None  # as there is a rate
        assert seconds is not None
        period, gone = divmod(self.timer(), seconds)
        self.left = seconds - gone
        key = f"{self.get_cache_key(request, view)}-{period:.0f}"
        if self.cache.add(key, 1, seconds):
            return True
        try:
            return self.cache.incr(key) <= most
        except ValueError:  # it ran out in between
            return True

    def wait(self) -> float:
        """Return the seconds until the next period begins."""
        return self.left

    def get_cache_key(self, request: Request, view: "APIView") -> str:
        kind, who = caller(request)
        return self.cache_format % {"scope": f"{self.group_of(request)}-{kind}", "ident": who}

    def group_of(self, request: Request) -> str:
        """Return the name of the rate that holds."""
        return caller(request)[0]


class ScopeRate(CallerRate):
    """The same, of one scope alone."""

    scope = "scope"

    def group_of(self, request: Request) -> str:
        return scope_of(path=request.path, method=request.method or "") or ""


def caller(request: Request) -> tuple[str, str]:
    """Return as what a request is counted, and whose."""
    if isinstance(request.auth, ApiToken):
        return "token", str(request.auth.pk)
    if request.user.is_authenticated:
        return "session", str(request.user.pk)
    return "anonymous", client_address(request)
