"""Helpers for tests of the admin's import pages."""

import html
import re
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client


def upload(client: Client, page: str, content: str | bytes, name: str = "new.csv", **more: Any) -> Any:
    """Choose a file on the page at an url and check it."""
    content = content if isinstance(content, bytes) else content.encode()
    return client.post(page, {"file": SimpleUploadedFile(name, content), **more})


def hidden(response: Any, name: str) -> str:
    """Return the value of a hidden field."""
    match = re.search(f'name="{name}" value="([^"]*)"', response.content.decode())
    assert match
    return html.unescape(match[1])


def problems(response: Any) -> list[tuple[int, str, str, str | None]]:
    """Return the problems on the page: line, column, message and the row to fix."""
    return [
        (line, problem["column"], problem["message"], row)
        for line, row, row_problems in response.context["rows"]
        for problem in row_problems
    ]
