"""What the schema tells of the API beside its endpoints: tokens, problems, repeated requests, examples."""

from collections.abc import Iterator
from typing import Any, ClassVar

from django.conf import settings
from django.utils.translation import get_language
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema

from library.rest.errors.problems import MEDIA_TYPE, problem
from library.rest.lists.csv_renderer import CsvRenderer
from library.rest.lists.sparse_fields import ChosenFields
from library.rest.schema.examples import example_of

Schema = dict[str, Any]

_TEXT = {"type": "string"}
_PROBLEM: Schema = {
    "type": "object",
    "description": "What went wrong (RFC 9457).",
    "required": ["type", "title", "status", "detail", "instance", "code"],
    "additionalProperties": False,
    "properties": {
        "type": _TEXT | {"format": "uri-reference", "description": "The kind of problem, with its code."},
        "title": _TEXT | {"description": "The kind in words, in the language asked for."},
        "status": {"type": "integer", "description": "The status of the answer."},
        "detail": _TEXT | {"description": "What is wrong and how to mend it."},
        "instance": _TEXT | {"format": "uri-reference", "description": "The address that was asked for."},
        "code": _TEXT | {"description": "The kind for programs; it is never renamed."},
        "errors": {
            "type": "array",
            "description": "Of a request that is not valid, each fault.",
            "items": {
                "type": "object",
                "required": ["detail", "code"],
                "properties": {
                    "detail": _TEXT,
                    "code": _TEXT,
                    "pointer": _TEXT
                    | {"description": "Where in the body (RFC 6901); empty: the body as a whole."},
                    "parameter": _TEXT | {"description": "Which parameter of the address."},
                },
            },
        },
        "extra": {
            "type": "object",
            "description": "The facts behind the sentence: of a refusal all its `reasons`, of a missing "
            "scope its name as `scope`.",
        },
    },
}
_TABLE = _TEXT | {
    "description": "The whole list, whatever page is asked for, as CSV in UTF-8 with a heading. Values of a "
    "record within a record have columns of their own, lists are JSON."
}
#: By status: when it is the answer, and whether an operation has it at all.
_REFUSALS = {
    400: "A value is not valid, or the request cannot be read.",
    401: "There is no token and no session, or the token is none, revoked or expired.",
    403: "The user lacks the permission, or the token the scope.",
    404: "There is no such record.",
    409: "It cannot be done as things stand, or the same request is being answered.",
    413: "The request is too large.",
    415: "The request is not JSON.",
    422: "The Idempotency-Key was sent with another request before.",
    429: "Too many requests; Retry-After says when to come again.",
    503: "The database is away; Retry-After says when to come again.",
}
_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "A text of the client’s own, such as a UUID: sent again within a day with the same "
    "request, nothing is done and the first answer comes back.",
    "schema": {"type": "string", "pattern": "^[!-~]{1,255}$"},
    "example": "0b6a1c0e-6f0b-4d0c-9a55-0d6d1c1f7a11",
}


class ApiSchema(AutoSchema):
    """Tells of fields that are null where there is nothing to read, and of those that may be left out."""

    def _map_basic_serializer(self, serializer: Any, direction: str) -> Schema:
        schema: Schema = super()._map_basic_serializer(serializer, direction)
        if direction == "response" and isinstance(serializer, ChosenFields):
            schema.pop("required", None)
        return schema

    def _get_serializer_field_meta(self, field: Any, direction: str) -> dict[str, Any]:
        meta: dict[str, Any] = super()._get_serializer_field_meta(field, direction)
        if getattr(field, "read_only", False) and field.default is None:
            meta["nullable"] = True
        return meta


class OneSchema(SchemaGenerator):
    """The schema of the API, made once a process and language: making it takes a second."""

    _made: ClassVar[dict[tuple[str, bool], Schema]] = {}

    def get_schema(self, request: Any = None, public: bool = False) -> Schema:
        key = get_language() or "", public
        if key[0] not in dict(settings.LANGUAGES):
            # Anybody may ask for any, and all of them would be kept.
            return super().get_schema(request=request, public=public)
        if key not in self._made:
            self._made[key] = super().get_schema(request=request, public=public)
        return self._made[key]


class TokenScheme(OpenApiAuthenticationExtension):
    target_class = "library.rest.auth.authentication.TokenAuthentication"
    name = "token"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "A token of POST /api/v1/token/."}


def add_tables(result: Schema, **kwargs: Any) -> Schema:
    """Tell what a list is as CSV: the same for all."""
    for _path, _method, operation in _operations(result):
        content = operation["responses"].get("200", {}).get("content", {})
        if CsvRenderer.media_type in content:
            content[CsvRenderer.media_type] = {"schema": _TABLE, "example": "id,title\r\n7,Optics\r\n"}
    return result


def add_problems(result: Schema, **kwargs: Any) -> Schema:
    """Declare the problem documents of every operation."""
    result["components"]["schemas"]["Problem"] = _PROBLEM
    for path, method, operation in _operations(result):
        told = {
            status: answer["description"]
            for status, answer in operation["responses"].items()
            if status.isdecimal() and int(status) >= 400
        }
        usual = {str(status): _REFUSALS[status] for status in _refusals(path, method, operation)}
        for status, description in (usual | told).items():
            operation["responses"][status] = _problem(description, int(status))
        operation["responses"]["default"] = _problem("Any other problem.", 500)
    return result


def _refusals(path: str, method: str, operation: Schema) -> Iterator[int]:
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
    """Declare the header that makes a POST be done once."""
    result["components"].setdefault("parameters", {})["IdempotencyKey"] = _KEY
    for _path, method, operation in _operations(result):
        if method == "post" and operation.get("security") and {} not in operation["security"]:
            reference = {"$ref": "#/components/parameters/IdempotencyKey"}
            operation["parameters"] = [*operation.get("parameters", []), reference]
    return result


def add_examples(result: Schema, **kwargs: Any) -> Schema:
    """Let each request and each answer that brings no example of its own have one."""
    for _path, _method, operation in _operations(result):
        bodies = [operation["requestBody"]] if "requestBody" in operation else []
        for body in (*bodies, *operation["responses"].values()):
            for media in body.get("content", {}).values():
                if "example" not in media and "examples" not in media:
                    media["example"] = example_of(media["schema"], schemas=result["components"]["schemas"])
    return result


def _operations(result: Schema) -> Iterator[tuple[str, str, Schema]]:
    for path, operations in result["paths"].items():
        for method, operation in operations.items():
            yield path, method, operation
