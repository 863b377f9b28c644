"""A trained version that answers in this process, over a real socket."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings

from classifier.services.holding import Holding
from classifier.services.model_server import ModelServer
from classifier.services.training import train
from tests.classifier.factories import make_version
from tests.classifier.libraries import QUICK, make_library
from tests.factories import NOW


def trained_library(kept: Path) -> dict[str, str]:
    """Make a library with covers and an active version; return what fits each uncategorised book.

    The version is trained once for all tests that give the same empty folder to keep it in.
    """
    truth = make_library(covers=True)
    for stored in kept.iterdir():
        shutil.copytree(stored, settings.MODELS_DIR / stored.name)
        make_version(name=stored.name, state="active", activated_at=NOW)
        return truth
    name = train(now=NOW, settings=QUICK)["version"]
    shutil.copytree(settings.MODELS_DIR / name, kept / name)
    return truth


@contextmanager
def serving() -> Iterator[ModelServer]:
    """Answer as the process would that holds the active version; nobody watches what is active."""
    server = ModelServer(holding=Holding.of_today().with_loans())
    server.look = lambda: None
    server.bind()
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        server.end()
        thread.join()
