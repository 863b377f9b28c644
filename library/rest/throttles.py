"""Who is counted as one and the same when attempts are counted."""

from django.http import HttpRequest
from rest_framework.throttling import BaseThrottle


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
