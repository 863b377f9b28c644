"""What the tests of the admin's import pages share: send a file, and read the answer."""

import html
import re
from typing import Any

from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client


def upload(client: Client, page: str, content: str | bytes, name: str = "new.csv", **more: Any) -> Any:
    """Choose a file on the page at an address and check it."""
    content = content if isinstance(content, bytes) else content.encode()
    return client.post(page, {"file": SimpleUploadedFile(name, content), **more})


def hidden(answer: Any, name: str) -> str:
    """Return what the page takes along."""
    found = re.search(f'name="{name}" value="([^"]*)"', answer.content.decode())
    assert found
    return html.unescape(found[1])


def problems(answer: Any) -> list[tuple[int, str, str, str | None]]:
    """Return what is wrong as the page tells it: line, column, message, and the row to be mended."""
    return [
        (line, problem["column"], problem["message"], row)
        for line, row, of_row in answer.context["rows"]
        for problem in of_row
    ]
