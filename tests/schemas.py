"""The API's schema as it stands in the code."""

from functools import cache
from typing import Any

from drf_spectacular.generators import SchemaGenerator


@cache
def api_schema() -> dict[str, Any]:
    """Return the schema, not to be changed."""
    return SchemaGenerator().get_schema(request=None, public=True)


def operations() -> list[tuple[str, str, dict[str, Any]]]:
    """Return every operation, with its address and method."""
    paths = api_schema()["paths"]
    return [
        (path, method, operation) for path, methods in paths.items() for method, operation in methods.items()
    ]
