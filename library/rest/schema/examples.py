"""Examples for the schema: given ones, and ones generated from the names and types of fields."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer

Serializer = TypeVar("Serializer", bound=type)

#: Values by the name of a field.
_BY_NAME: dict[str, Any] = {
    "active_version": "2026-11-22-1",
    "address": "12 Mill Lane",
    "amount": "2.50",
    "authors": "Hanna Lind",
    "barcode": "B1000234",
    "branch": "main",
    "call_number": "535 LIN",
    "card_number": "R1024",
    "category_notation": "535",
    "code": "main",
    "control_number": "B000123",
    "cover": "http://library.example/media/covers/b000123.png",
    "description": "How light was understood, from mirrors to lasers.",
    "destination": "main",
    "email": "borrower@library.example",
    "fine": "0.00",
    "isbn": "9780306406157",
    "label_en": "Optics",
    "label_zh": "光学",
    "language": "en",
    "message": "The title is held for another borrower.",
    "name": "Main library",
    "notation": "535",
    "owed": "2.50",
    "password": "correct horse battery staple",
    "phone": "030 1234567",
    "pickup_branch": "main",
    "prefix": "lib_Jb3kQ0aZ",
    "probability": 0.93,
    "publisher": "Lantern Press",
    "reason": "The book came back in time.",
    "shelf_location": "Second floor",
    "subtitle": "A Short History",
    "title": "Light",
    "token": "lib_Jb3kQ0aZ…",
    "username": "catalogue",
    "version": "0.1.0",
    "year": 2019,
}
_BY_FORMAT: dict[str, Any] = {
    "date": "2026-11-27",
    "date-time": "2026-11-27T09:30:00Z",
    "decimal": "2.50",
    "uri": "http://library.example/api/v1/books/?page=2",
    "uuid": "0b6a1c0e-6f0b-4d0c-9a55-0d6d1c1f7a11",
    "email": "borrower@library.example",
}
_BY_TYPE: dict[str, Any] = {"boolean": False, "integer": 1, "number": 0.5, "string": "text", "null": None}
#: Ends recursive schemas.
_MAX_DEPTH = 8


def example(
    name: str, value: dict[str, Any], *, request_fields: Collection[str] = ()
) -> Callable[[Serializer], Serializer]:
    """Return a decorator that adds an example to a serializer.

    Parameters
    ----------
    value
        The example in a response.
    request_fields
        The fields of the example in a request; empty if there is none.
    """
    examples = [OpenApiExample(name, value=value, response_only=True)]
    if request_fields:
        body = {field: value[field] for field in request_fields}
        examples.append(OpenApiExample(f"{name} (request)", value=body, request_only=True))
    return extend_schema_serializer(examples=examples)


def generate_example(
    schema: Mapping[str, Any], *, schemas: Mapping[str, Any], name: str = "", depth: int = 0
) -> Any:
    """Return a JSON value that a schema allows.

    Parameters
    ----------
    schema
        An OpenAPI 3.1 schema.
    schemas
        The components that it may refer to, by name.
    name
        The name of the field, for a realistic value.
    """
    nested: dict[str, Any] = {"schemas": schemas, "name": name, "depth": depth + 1}
    if "example" in schema:
        return schema["example"]
    if "$ref" in schema:
        return generate_example(schemas[schema["$ref"].rpartition("/")[2]], **nested)
    for keyword in ("allOf", "oneOf", "anyOf"):
        if keyword in schema:
            return generate_example(schema[keyword][0], **nested)
    if "const" in schema or "enum" in schema:
        return schema["const"] if "const" in schema else schema["enum"][0]
    kind = _type(schema)
    if kind == "array":
        is_deep = depth > _MAX_DEPTH or "items" not in schema
        return [] if is_deep else [generate_example(schema["items"], **nested)]
    if kind == "object":
        return _object(schema, schemas, depth)
    return _scalar(schema, kind, name)


def _type(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    return kind if isinstance(kind, str) else next(name for name in kind if name != "null")


def _object(schema: Mapping[str, Any], schemas: Mapping[str, Any], depth: int) -> dict[str, Any]:
    fields = schema.get("properties", {})
    value = {
        name: generate_example(field, schemas=schemas, name=name, depth=depth + 1)
        for name, field in fields.items()
    }
    additional = schema.get("additionalProperties")
    if not fields and isinstance(additional, Mapping) and additional:
        value["books"] = generate_example(additional, schemas=schemas, depth=depth + 1)
    return value


def _scalar(schema: Mapping[str, Any], kind: str, name: str) -> Any:
    typical = _BY_NAME.get(name)
    if typical is not None and _fits(typical, schema, kind):
        return typical
    if schema.get("format") in _BY_FORMAT:
        return _BY_FORMAT[schema["format"]]
    value = schema.get("default", _BY_TYPE[kind])
    return max(value, schema["minimum"]) if "minimum" in schema and value is not None else value


def _fits(value: Any, schema: Mapping[str, Any], kind: str) -> bool:
    if kind == "string":
        return isinstance(value, str) and len(value) <= schema.get("maxLength", len(value))
    return kind in ("integer", "number") and isinstance(value, float if kind == "number" else int)
