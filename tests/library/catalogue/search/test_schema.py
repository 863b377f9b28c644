"""The OpenAPI schema of the catalogue."""

import re

import pytest

from tests import schemas

OURS = re.compile(r"/api/v1/(categories|copies|branches|item-types|books)/(?!.*similar)")


@pytest.fixture(scope="module")
def operations():
    return {
        f"{method} {path}": operation for path, method, operation in schemas.operations() if OURS.match(path)
    }


def contents(operation):
    bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
    return [content for body in bodies for content in body.get("content", {}).values()]


def test_every_operation_has_example_schema_and_description(operations):
    assert len(operations) == 26
    without = [
        name
        for name, operation in operations.items()
        if not any(
            parameter.get("examples") for parameter in contents(operation) + operation.get("parameters", [])
        )
        or not all("schema" in content for content in contents(operation))
        or not operation.get("description")
    ]
    assert without == []


def test_book_list_documents_its_parameters(operations):
    parameters = {parameter["name"] for parameter in operations["get /api/v1/books/"]["parameters"]}
    assert parameters == {
        *("search", "fields", "format", "ordering", "page", "page_size", "pagination", "cursor"),
        *("category", "notation", "uncategorised", "year_min", "year_max", "has_cover", "branch"),
        *("available", "language", "category_source", "isbn"),
    }
