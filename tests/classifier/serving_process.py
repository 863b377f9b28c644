"""A trained version that answers in this process, over a real socket."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.core.serializers import deserialize, serialize

from classifier.models import ModelVersion
from classifier.services.serving.loaded_model import Holding
from classifier.services.serving.server import ModelServer
from classifier.services.training.training import train
from tests.classifier.libraries import QUICK, make_library
from tests.factories import NOW


def trained_library(kept: Path, *, covers: bool = False) -> dict[str, str]:
    """Make a library and an active version; return what fits each uncategorised book.

    The version is trained once for all tests that give the same folder to keep it in.
    """
    truth = make_library(covers=covers)
    kept /= "with covers" if covers else "without covers"
    row = kept / "row.json"
    if row.exists():
        shutil.copytree(kept / "models", settings.MODELS_DIR)
        for version in deserialize("json", row.read_text()):
            version.object.pk = None
            version.save()
        return truth
    train(now=NOW, settings=QUICK)
    shutil.copytree(settings.MODELS_DIR, kept / "models")
    row.write_text(serialize("json", ModelVersion.objects.all()))
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
