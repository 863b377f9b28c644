"""The API quick start: every command of API.md, run against a server."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from django.contrib.auth.models import User

import library.rest
from tests.e2e.processes import runserver

PAGE = Path(library.rest.__file__).with_name("API.md")
PASSWORD = "a-long-password"
#: Prints the status of each response on standard error.
PRINT_STATUS = "set -eu -o pipefail\ncurl() { command curl -w '%{stderr}%{http_code} ' \"$@\"; }\n"


@pytest.fixture
def site(small_library, open_database, settings):
    """URL of a server of a small library with an administrator."""
    # Passwords are hashed as in production.
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.PBKDF2PasswordHasher"]
    with open_database(small_library):
        User.objects.create_superuser("root", password=PASSWORD)
    with runserver(small_library) as url:
        yield url


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="needs curl and jq")
def test_commands_of_the_page_work(site):
    blocks = re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    script = PRINT_STATUS + "".join(blocks)
    env = os.environ | {"LIBRARY": site, "NAME": "root", "PASSWORD": PASSWORD, "no_proxy": "*"}
    completed = subprocess.run(
        ["bash", "-c", script], env=env, capture_output=True, text=True, check=False, timeout=120
    )
    assert completed.returncode == 0, completed.stderr
    assert completed.stderr.split() == [
        *["200"] * 9,  # a token, and the catalogue
        *["200", "201", "201"],  # borrowers, the loan, and its repetition
        *["409", "400", "403"],  # the problems
        *["201", "200", "200", "200"],  # the hold, and the renewal after it was cancelled
        *["200", "200"],  # the account, and the checkin
        *["200"] * 4,
        *["200", "200", "204", "401"],  # revocation of the token
    ]
    assert '"allows_renewal":' in completed.stdout
    assert '"code":"circulation_refused"' in completed.stdout
    assert '"code":"insufficient_scope"' in completed.stdout
