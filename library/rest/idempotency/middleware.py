"""A POST with an Idempotency-Key is done once, however often it is sent."""

import json
import re

from django.db import DatabaseError, InterfaceError, transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.exceptions import APIException

from library.rest.auth.authentication import TokenAuthentication
from library.rest.errors.handler import database_away, is_away
from library.rest.errors.middleware import Answer, is_api
from library.rest.errors.problems import RETRY_AFTER, problem_response
from library.rest.idempotency.store import (
    InProgressError,
    Key,
    KeyReusedError,
    claim,
    hold,
    keep,
    let_go,
)

HEADER = "Idempotency-Key"
_KEPT_HEADERS = ("Content-Type", "Location", "Deprecation", "Sunset", "Link")


class Idempotency:
    """Answer what was done before with the answer it had, and do anything else in one transaction with it.

    A refusal is not kept, as nothing was done: sent again, the request is looked at anew. Nor is what says
    ``no-store``, which is a new token. Strangers have no keys.
    """

    def __init__(self, get_response: Answer) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        text = request.headers.get(HEADER)
        if text is None or request.method != "POST" or not is_api(request):
            return self.get_response(request)
        if not re.fullmatch(r"[\x21-\x7e]{1,255}", text):
            detail = _("An Idempotency-Key is 1 to 255 characters of ASCII, without spaces.")
            return problem_response(status=400, path=request.path, code="idempotency_key", detail=detail)
        try:
            owner = _owner(request)
            return self._once(request, Key(owner, text)) if owner else self.get_response(request)
        except (InProgressError, KeyReusedError) as error:
            return _refused(request, error)
        except (DatabaseError, InterfaceError) as error:
            if not is_away(error):
                raise
            headers = {"Retry-After": str(RETRY_AFTER)}
            told = {"code": "database_away", "detail": database_away()}
            return problem_response(status=503, path=request.path, headers=headers, **told)

    def _once(self, request: HttpRequest, key: Key) -> HttpResponseBase:
        asked = b"\n".join([request.get_full_path().encode(), request.body])
        row = claim(key=key, request=asked, now=timezone.now())
        if row.answer:
            return _unpacked(key.decrypt(row.answer))
        is_kept = False
        try:
            with transaction.atomic():
                hold(row=row)
                response = self.get_response(request)
                is_kept = _is_for_keeping(response)
                if is_kept:
                    keep(row=row, key=key, answer=_packed(response))
                elif response.status_code >= 500:
                    transaction.set_rollback(True)
            return response
        except BaseException:
            is_kept = False
            raise
        finally:
            if not is_kept:
                let_go(row=row)


def _owner(request: HttpRequest) -> str:
    """Return whose request it is; empty for a stranger's, which the endpoint will refuse."""
    try:
        found = TokenAuthentication().authenticate(request)  # type: ignore[arg-type]
    except APIException:
        return ""
    user = found[0] if found else request.user
    return str(user.pk) if user.is_authenticated else ""


def _is_for_keeping(response: HttpResponseBase) -> bool:
    return 200 <= response.status_code < 300 and "no-store" not in response.get("Cache-Control", "")


def _packed(response: HttpResponseBase) -> bytes:
    assert isinstance(response, HttpResponse)
    headers = {name: response[name] for name in _KEPT_HEADERS if name in response}
    return json.dumps([response.status_code, headers, response.content.decode()]).encode()


def _unpacked(answer: bytes) -> HttpResponse:
    status, headers, body = json.loads(answer)
    return HttpResponse(body, status=status, headers=headers | {"Idempotency-Replayed": "true"})


def _refused(request: HttpRequest, error: InProgressError | KeyReusedError) -> HttpResponse:
    if isinstance(error, KeyReusedError):
        code, status, headers = "idempotency_key_reused", 422, {}
    else:
        code, status, headers = "idempotency_key_in_progress", 409, {"Retry-After": "1"}
    return problem_response(
        status=status, path=request.path, code=code, detail=error.message, headers=headers
    )
