"""Additions to the OpenAPI schema: tokens, problems, CSV, idempotency keys and examples."""

from collections.abc import Iterator
from typing import Any, ClassVar

from django.conf import settings
from django.utils.translation import get_language
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema

from library.rest.errors.problems import MEDIA_TYPE, problem
from library.rest.lists.csv_renderer import CsvRenderer
from library.rest.lists.sparse_fields import SparseFields
from library.rest.schema.examples import generate_example

Schema = dict[str, Any]

_TEXT = {"type": "string"}
_PROBLEM: Schema = {
    "type": "object",
    "description": "What went wrong (RFC 9457).",
    "required": ["type", "title", "status", "detail", "instance", "code"],
    "additionalProperties": False,
    "properties": {
        "type": _TEXT | {"format": "uri-reference", "description": "A link that ends in the code."},
        "title": _TEXT | {"description": "The kind of problem for people, in the requested language."},
        "status": {"type": "integer", "description": "The HTTP status code."},
        "detail": _TEXT | {"description": "What is wrong and how to fix it."},
        "instance": _TEXT | {"format": "uri-reference", "description": "The path of the request."},
        "code": _TEXT | {"description": "The kind of problem for programs; never renamed."},
        "errors": {
            "type": "array",
            "description": "The errors of an invalid request.",
            "items": {
                "type": "object",
                "required": ["detail", "code"],
                "properties": {
                    "detail": _TEXT,
                    "code": _TEXT,
                    "pointer": _TEXT
                    | {"description": "The place in the body (RFC 6901); empty: the whole body."},
                    "parameter": _TEXT | {"description": "The query parameter."},
                },
            },
        },
        "extra": {
            "type": "object",
            "description": "Facts for programs: all `reasons` of a refusal at the desk, the missing "
            "`scope` of a token.",
        },
    },
}
_CSV = _TEXT | {
    "description": "The whole list, not one page, as CSV in UTF-8 with a header row. The fields of nested "
    "records are columns, lists are JSON."
}
#: Descriptions of the problems, by status.
_DESCRIPTIONS = {
    400: "A value is invalid, or the request cannot be parsed.",
    401: "There is no token and no session, or the token is invalid, revoked or expired.",
    403: "The user lacks the permission, or the token the scope.",
    404: "The record does not exist.",
    409: "The request conflicts with the current state, or the same request is in progress.",
    413: "The request is too large.",
    415: "The body is not JSON.",
    422: "The Idempotency-Key was already used with a different request.",
    429: "Too many requests; retry after `Retry-After` seconds.",
    503: "The database is unavailable; retry after `Retry-After` seconds.",
}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Any text chosen by the client, such as a UUID. The same request with the same key within "
    "24 hours is not processed again: it gets the first response.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
    "example": "0b6a1c0e-6f0b-4d0c-9a55-0d6d1c1f7a11",
}


class ApiSchema(AutoSchema):
    """Declare read-only fields with a null default as nullable, and sparse fields as optional."""

    def _map_basic_serializer(self, serializer: Any, direction: str) -> Schema:
        schema: Schema = super()._map_basic_serializer(serializer, direction)
        if direction == "response" and isinstance(serializer, SparseFields):
            schema.pop("required", None)
        return schema

    def _get_serializer_field_meta(self, field: Any, direction: str) -> dict[str, Any]:
        meta: dict[str, Any] = super()._get_serializer_field_meta(field, direction)
        if getattr(field, "read_only", False) and field.default is None:
            meta["nullable"] = True
        return meta


class CachedSchemaGenerator(SchemaGenerator):
    """The schema of the API, cached per process and language, because generating it takes a second."""

    _cache: ClassVar[dict[tuple[str, bool], Schema]] = {}

    def get_schema(self, request: Any = None, public: bool = False) -> Schema:
        key = get_language() or "", public
        if key[0] not in dict(settings.LANGUAGES):
            # Clients may request any language: do not fill the cache with unknown ones.
            return super().get_schema(request=request, public=public)
        if key not in self._cache:
            self._cache[key] = super().get_schema(request=request, public=public)
        return self._cache[key]


class TokenScheme(OpenApiAuthenticationExtension):
    target_class = "library.rest.auth.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "A token issued by POST /api/v1/token/."}


def add_csv_responses(result: Schema, **kwargs: Any) -> Schema:
    """Declare the CSV response of every list."""
    for _path, _method, operation in _operations(result):
        content = operation["responses"].get("200", {}).get("content", {})
        if CsvRenderer.media_type in content:
            content[CsvRenderer.media_type] = {"schema": _CSV, "example": "id,title\r\n7,Optics\r\n"}
    return result


def add_problems(result: Schema, **kwargs: Any) -> Schema:
    """Declare the problem documents of every operation."""
    result["components"]["schemas"]["Problem"] = _PROBLEM
    for path, method, operation in _operations(result):
        own_descriptions = {
            status: response["description"]
            for status, response in operation["responses"].items()
            if status.isdecimal() and int(status) >= 400
        }
        defaults = {str(status): _DESCRIPTIONS[status] for status in _statuses(path, method, operation)}
        for status, description in (defaults | own_descriptions).items():
            operation["responses"][status] = _problem(description, int(status))
        operation["responses"]["default"] = _problem("Any other problem.", 500)
    return result


def _statuses(path: str, method: str, operation: Schema) -> Iterator[int]:
    writes, has_body = method != "get", "requestBody" in operation
    if has_body or operation.get("parameters"):
        yield 400
    if {} not in operation.get("security", []):
        yield from (401, 403)
    if "{" in path or any(row["name"] == "page" for row in operation.get("parameters", [])):
        yield 404
    if writes:
        yield 409
    if has_body:
        yield from (413, 415)
    if method == "post":
        yield 422
    yield from (429, 503)


def _problem(description: str, status: int) -> Schema:
    example = problem(status=status, path="/api/v1/loans/", detail=description)
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": description, "content": {MEDIA_TYPE: {"schema": schema, "example": example}}}


def add_idempotency_key(result: Schema, **kwargs: Any) -> Schema:
    """Declare the Idempotency-Key header of every POST."""
    result["components"].setdefault("parameters", {})["IdempotencyKey"] = _KEY
    for _path, method, operation in _operations(result):
        if method == "post" and operation.get("security") and {} not in operation["security"]:
            reference = {"$ref": "#/components/parameters/IdempotencyKey"}
            operation["parameters"] = [*operation.get("parameters", []), reference]
    return result


def add_examples(result: Schema, **kwargs: Any) -> Schema:
    """Generate an example for each request and each response without one."""
    for _path, _method, operation in _operations(result):
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        for body in (*bodies, *operation["responses"].values()):
            for media in body.get("content", {}).values():
                if "example" not in media and "examples" not in media:
                    media["example"] = generate_example(
                        media["schema"], schemas=result["components"]["schemas"]
                    )
    return result


def _operations(result: Schema) -> Iterator[tuple[str, str, Schema]]:
    for path, operations in result["paths"].items():
        for method, operation in operations.items():
            yield path, method, operation
