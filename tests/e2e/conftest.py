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
from tests.conftest import default_database, sqlite_file
from tests.e2e.processes import manage

OpenDatabase = Callable[[Path], AbstractContextManager[None]]


@pytest.fixture(scope="session")
def open_database(django_db_blocker) -> OpenDatabase:
    """Connect the test's ORM to the database in a data folder: ``with open_database(folder):``."""

    @contextmanager
    def open_folder(data: Path) -> Iterator[None]:
        config = sqlite_file(data / "library.sqlite3")
        with django_db_blocker.unblock(), default_database(config):
            yield

    return open_folder


@pytest.fixture(scope="session")
def library_folder(tmp_path_factory, django_db_setup, open_database) -> Path:
    """A data folder with a small library, which tests must not change; see `small_library`."""
    data = tmp_path_factory.mktemp("library")
    # Other processes read what this one encrypts.
    shutil.copytree(settings.BORROWER_KEYS_FILE.parent, data / "secrets")
    shutil.copy(django_db_setup, data)
    with open_database(data):
        make_library()
    return data


@pytest.fixture
def small_library(library_folder, tmp_path) -> Path:
    """The test's own data folder with the library of `make_library`."""
    return shutil.copytree(library_folder, tmp_path / "installation")


@dataclass(frozen=True)
class Demo:
    folder: Path
    result: dict[str, Any]
    """Output of ``manage.py demo --json``."""

    def copy(self, to: Path) -> "Demo":
        # Other tests read the demo at the same time, and SQLite's two extra files exist only while they do.
        ignored = shutil.ignore_patterns("*-shm", "*-wal")
        return Demo(shutil.copytree(self.folder, to, ignore=ignored), self.result)


@pytest.fixture(scope="session")
def finished_demo(tmp_path_factory) -> Demo:
    """The demo, built once for all test processes; tests must not change it, see `demo`."""
    run = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        run = run.parent
    folder, output = run / "demo", run / "demo.json"
    with FileLock(run / "demo.lock"):
        if not output.exists():
            completed = manage(folder, "demo", "--no-serve", "--json")
            assert (completed.returncode, completed.stderr) == (0, "")
            output.write_text(completed.stdout)
    return Demo(folder, json.loads(output.read_text()))


@pytest.fixture
def demo(finished_demo, tmp_path) -> Demo:
    """The demo in the test's own data folder."""
    return finished_demo.copy(tmp_path / "installation")


@pytest.fixture
def page():
    """A browser page that records errors and the hosts it contacts."""
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
        page.errors, page.hosts = [], set()
        page.on("console", lambda message: message.type == "error" and page.errors.append(message.text))
        page.on("pageerror", lambda error: page.errors.append(str(error)))
        page.on("request", lambda request: page.hosts.add(urlsplit(request.url).netloc))
        page.on("response", lambda response: response.status >= 400 and page.errors.append(response.url))
        yield page
        browser.close()
