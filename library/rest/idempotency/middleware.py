"""Middleware that performs a POST with an Idempotency-Key once, however often it is sent."""

import json
import re

from django.db import DatabaseError, InterfaceError, transaction
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.exceptions import APIException

from library.rest.auth.authentication import TokenAuthentication
from library.rest.errors.handler import database_unavailable, is_unavailable
from library.rest.errors.middleware import GetResponse, is_api
from library.rest.errors.problems import RETRY_AFTER, problem_response
from library.rest.idempotency.store import (
    IdempotencyKey,
    KeyReusedError,
    RequestInProgressError,
    acquire,
    lock,
    release,
    save,
)

HEADER = "Idempotency-Key"
_STORED_HEADERS = ("Content-Type", "Location")


class IdempotencyMiddleware:
    """Replay the stored response to a repeated request; save a new one in the transaction of its changes.

    Errors are not stored, because nothing was changed: the repeated request is processed again. Neither are
    responses with ``no-store``, such as a new token. Anonymous requests have no keys.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        text = request.headers.get(HEADER)
        if text is None or request.method != "POST" or not is_api(request):
            return self.get_response(request)
        if not re.fullmatch(r"[\x21-\x7e]{1,255}", text):
            detail = _("Idempotency-Key must be 1 to 255 printable ASCII characters without spaces.")
            return problem_response(
                status=400, path=request.path, code="invalid_idempotency_key", detail=detail
            )
        try:
            owner = _owner(request)
            if not owner:
                return self.get_response(request)
            return self._respond_once(request, IdempotencyKey(owner, text))
        except (RequestInProgressError, KeyReusedError) as error:
            return _refusal(request, error)
        except (DatabaseError, InterfaceError) as error:
            if not is_unavailable(error):
                raise
            headers = {"Retry-After": str(RETRY_AFTER)}
            return problem_response(status=503, path=request.path, headers=headers, **database_unavailable())

    def _respond_once(self, request: HttpRequest, key: IdempotencyKey) -> HttpResponseBase:
        content = b"\n".join([request.get_full_path().encode(), request.body])
        record = acquire(key=key, request=content, now=timezone.now())
        if record.response:
            return _replay(key.decrypt(record.response))
        is_saved = False
        try:
            with transaction.atomic():
                lock(record=record)
                response = self.get_response(request)
                is_saved = _is_storable(response)
                if is_saved:
                    save(record=record, key=key, response=_serialise(response))
                elif response.status_code >= 500:
                    transaction.set_rollback(True)
            return response
        except BaseException:
            is_saved = False
            raise
        finally:
            if not is_saved:
                release(record=record)


def _owner(request: HttpRequest) -> str:
    """Return the primary key of the user; empty if anonymous, which the endpoint will refuse."""
    try:
        user_and_token = TokenAuthentication().authenticate(request)  # type: ignore[arg-type]
    except APIException:
        return ""
    user = user_and_token[0] if user_and_token else request.user
    return str(user.pk) if user.is_authenticated else ""


def _is_storable(response: HttpResponseBase) -> bool:
    return 200 <= response.status_code < 300 and "no-store" not in response.get("Cache-Control", "")


def _serialise(response: HttpResponseBase) -> bytes:
    assert isinstance(response, HttpResponse)
    headers = {name: response[name] for name in _STORED_HEADERS if name in response}
    return json.dumps([response.status_code, headers, response.content.decode()]).encode()


def _replay(stored: bytes) -> HttpResponse:
    status, headers, body = json.loads(stored)
    return HttpResponse(body, status=status, headers=headers | {"Idempotency-Replayed": "true"})


def _refusal(request: HttpRequest, error: RequestInProgressError | KeyReusedError) -> HttpResponse:
    if isinstance(error, KeyReusedError):
        code, status, headers = "idempotency_key_reused", 422, {}
    else:
        code, status, headers = "idempotency_key_in_progress", 409, {"Retry-After": "1"}
    return problem_response(
        status=status, path=request.path, code=code, detail=error.message, headers=headers
    )
