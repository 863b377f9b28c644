"""The page of settings against the settings."""

import re
from pathlib import Path

import library.settings

FOLDER = Path(library.settings.__file__).parent
#: Read by Django itself, before any settings.
OF_DJANGO = {"DJANGO_SETTINGS_MODULE"}


def test_the_page_names_every_variable_that_is_read_and_no_other():
    code = "".join(path.read_text() for path in FOLDER.glob("*.py"))
    read = set(re.findall(r"env\.\w+\(\s*\"(\w+)\"", code))
    assert len(read) > 20
    rows = re.findall(r"^\| (`.*?) \|", (FOLDER / "SETTINGS.md").read_text(), re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == read | OF_DJANGO
