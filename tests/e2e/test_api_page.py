"""A developer's first ten minutes: every line of the page on the API, run against a server."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import library.rest
from tests.e2e.processes import environment, manage, started

PAGE = Path(library.rest.__file__).with_name("API.md")
PASSWORD = "a-long-password"
#: Says the status of each answer beside it.
WATCHED = "set -eu -o pipefail\ncurl() { command curl -w '%{stderr}%{http_code} ' \"$@\"; }\n"


@pytest.fixture
def site(small_library):
    """The address of a server of a small library, with an administrator."""
    more = {"DJANGO_SUPERUSER_PASSWORD": PASSWORD}
    name = ("--username", "root", "--email", "root@library.example")
    made = manage(small_library, "createsuperuser", "--noinput", *name, **more)
    assert made.returncode == 0, made.stderr
    command = (sys.executable, "manage.py", "runserver", "127.0.0.1:0", "--noreload")
    with started(*command, env=environment(small_library)) as server:
        yield re.search(r"http://\S+?(?=/$)", server.line_with("Starting development server at").strip())[0]


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="needs curl and jq")
def test_the_lines_of_the_page_do_what_it_says(site):
    script = WATCHED + "".join(re.findall(r"```sh\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL))
    env = os.environ | {"LIBRARY": site, "NAME": "root", "PASSWORD": PASSWORD, "no_proxy": "*"}
    done = subprocess.run(
        ["bash", "-c", script], env=env, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.split() == [
        *["200"] * 9,  # a token, and the catalogue
        *["200", "201", "201"],  # readers, the loan, and it once more
        *["409", "400", "403"],  # the problems
        *["201", "200", "200", "200"],  # the hold, and the renewal when it is gone
        *["200", "200"],  # the account, and the book is back
        *["200"] * 4,
        *["200", "200", "204", "401"],  # the end of the token
    ]
    assert '"allows_renewal":' in done.stdout
    assert '"code":"circulation_refused"' in done.stdout
    assert '"code":"missing_scope"' in done.stdout
