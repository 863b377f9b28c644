"""Data folders of whole installations: a small library, and the demo."""

import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from django.conf import settings
from filelock import FileLock
from playwright.sync_api import expect, sync_playwright

from tests.classifier.libraries import make_library
from tests.conftest import default_database, in_file
from tests.e2e.processes import manage

Opened = Callable[[Path], AbstractContextManager[None]]


@pytest.fixture(scope="session")
def opened(django_db_blocker) -> Opened:
    """Let the ORM of the test read and write the database in a data folder: ``with opened(folder):``."""

    @contextmanager
    def open_folder(data: Path) -> Iterator[None]:
        with django_db_blocker.unblock(), default_database(database_in(data)):
            yield

    return open_folder


@pytest.fixture(scope="session")
def library_folder(tmp_path_factory, django_db_setup, opened) -> Path:
    """A data folder with a small library, not to be changed; see `small_library`."""
    data = tmp_path_factory.mktemp("library")
    # This process writes what others will read.
    shutil.copytree(settings.BORROWER_KEYS_FILE.parent, data / "secrets")
    shutil.copy(django_db_setup, data)
    with opened(data):
        make_library()
    return data


@pytest.fixture
def small_library(library_folder, tmp_path) -> Path:
    """A data folder of the test's own, with the library of `make_library` in it."""
    return shutil.copytree(library_folder, tmp_path / "installation")


@dataclass(frozen=True)
class Demo:
    folder: Path
    result: dict[str, Any]
    """What ``manage.py demo --json`` printed."""

    def copy(self, to: Path) -> "Demo":
        # Tests beside this one read the demo meanwhile, and SQLite's two files come and go with the readers.
        ignored = shutil.ignore_patterns("*-shm", "*-wal")
        return Demo(shutil.copytree(self.folder, to, ignore=ignored), self.result)


@pytest.fixture(scope="session")
def finished_demo(tmp_path_factory) -> Demo:
    """The demo, made once for all test processes; not to be changed, see `demo`."""
    run = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        run = run.parent
    folder, told = run / "demo", run / "demo.json"
    with FileLock(run / "demo.lock"):
        if not told.exists():
            made = manage(folder, "demo", "--no-serve", "--json")
            assert (made.returncode, made.stderr) == (0, "")
            told.write_text(made.stdout)
    return Demo(folder, json.loads(told.read_text()))


@pytest.fixture
def demo(finished_demo, tmp_path) -> Demo:
    """The demo in a data folder of the test's own."""
    return finished_demo.copy(tmp_path / "installation")


@pytest.fixture
def page():
    """A page of a browser that notes what it asks for and what goes wrong."""
    with sync_playwright() as playwright:
        browser_file = shutil.which("chromium") or playwright.chromium.executable_path
        if not Path(browser_file).exists():
            pytest.skip("No browser: install chromium, or run playwright install chromium.")
        browser = playwright.chromium.launch(
            executable_path=browser_file,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        expect.set_options(timeout=30_000)
        page = browser.new_page(locale="en-GB")
        page.wrong, page.hosts = [], set()
        page.on("console", lambda message: message.type == "error" and page.wrong.append(message.text))
        page.on("pageerror", lambda error: page.wrong.append(str(error)))
        page.on("request", lambda request: page.hosts.add(urlsplit(request.url).netloc))
        page.on("response", lambda answer: answer.status >= 400 and page.wrong.append(answer.url))
        yield page
        browser.close()


def database_in(data: Path) -> dict[str, Any]:
    return in_file(data / "library.sqlite3")
