"""Examples in the schema: what an answer looks like, and what to send for it."""

from collections.abc import Callable, Collection
from typing import Any, TypeVar

from drf_spectacular.utils import OpenApiExample, extend_schema_serializer

Serializer = TypeVar("Serializer", bound=type)


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
