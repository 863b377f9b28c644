"""Examples for the schema: those given, and those made of the schema, by the name or the kind of a field."""

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer

Serializer = TypeVar("Serializer", bound=type)

#: By the name of a field, what it could hold in a library.
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
    "email": "reader@library.example",
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
    "email": "reader@library.example",
}
_BY_TYPE: dict[str, Any] = {"boolean": False, "integer": 1, "number": 0.5, "string": "text", "null": None}
#: Lists of lists of records end somewhere.
_DEEPEST = 8


def example(
    name: str, value: dict[str, Any], *, written: Collection[str] = ()
) -> Callable[[Serializer], Serializer]:
    """Return a decorator that gives a serializer an example.

    Parameters
    ----------
    name : str
    value : dict
        As it is answered.
    written : collection of str
        The fields that are sent to make or change one; without any, none is sent.
    """
    examples = [OpenApiExample(name, value=value, response_only=True)]
    if written:
        sent = {field: value[field] for field in written}
        examples.append(OpenApiExample(f"{name}, as it is sent", value=sent, request_only=True))
    return extend_schema_serializer(examples=examples)


def example_of(
    schema: Mapping[str, Any], *, schemas: Mapping[str, Any], name: str = "", depth: int = 0
) -> Any:
    """Return a value that a schema allows.

    Parameters
    ----------
    schema : mapping
        Of OpenAPI 3.1.
    schemas : mapping
        The components that it may refer to, by name.
    name : str
        The field's, which says what it is about.

    Returns
    -------
    JSON
    """
    below: dict[str, Any] = {"schemas": schemas, "name": name, "depth": depth + 1}
    if "example" in schema:
        return schema["example"]
    if "$ref" in schema:
        return example_of(schemas[schema["$ref"].rpartition("/")[2]], **below)
    for several in ("allOf", "oneOf", "anyOf"):
        if several in schema:
            return example_of(schema[several][0], **below)
    if "const" in schema or "enum" in schema:
        return schema["const"] if "const" in schema else schema["enum"][0]
    kind = _kind(schema)
    if kind == "array":
        is_deep = depth > _DEEPEST or "items" not in schema
        return [] if is_deep else [example_of(schema["items"], **below)]
    if kind == "object":
        return _object(schema, schemas, depth)
    return _plain(schema, kind, name)


def _kind(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type", "object" if "properties" in schema else "string")
    return kind if isinstance(kind, str) else next(one for one in kind if one != "null")


def _object(schema: Mapping[str, Any], schemas: Mapping[str, Any], depth: int) -> dict[str, Any]:
    fields = schema.get("properties", {})
    found = {
        name: example_of(field, schemas=schemas, name=name, depth=depth + 1) for name, field in fields.items()
    }
    more = schema.get("additionalProperties")
    if not fields and isinstance(more, Mapping) and more:
        found["books"] = example_of(more, schemas=schemas, depth=depth + 1)
    return found


def _plain(schema: Mapping[str, Any], kind: str, name: str) -> Any:
    named = _BY_NAME.get(name)
    if named is not None and _fits(named, schema, kind):
        return named
    if schema.get("format") in _BY_FORMAT:
        return _BY_FORMAT[schema["format"]]
    value = schema.get("default", _BY_TYPE[kind])
    return max(value, schema["minimum"]) if "minimum" in schema and value is not None else value


def _fits(value: Any, schema: Mapping[str, Any], kind: str) -> bool:
    if kind == "string":
        return isinstance(value, str) and len(value) <= schema.get("maxLength", len(value))
    return kind in ("integer", "number") and isinstance(value, float if kind == "number" else int)
