"""A trained version, and a model server that runs in this process behind a real socket."""

import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from django.conf import settings
from django.core.serializers import deserialize, serialize

from classifier.models import ModelVersion
from classifier.services.runs.context import JobContext
from classifier.services.serving.loaded_model import LoadedModel
from classifier.services.serving.server import ModelServer
from classifier.services.training.training import train
from tests.classifier.libraries import QUICK, make_library
from tests.factories import NOW


def trained_library(cache: Path, *, covers: bool = False) -> dict[str, str]:
    """Create a library and an active version; return the right category of each uncategorised book.

    The version is trained once for all tests that pass the same cache folder.
    """
    truth = make_library(covers=covers)
    cache /= "with covers" if covers else "without covers"
    row = cache / "row.json"
    if row.exists():
        shutil.copytree(cache / "models", settings.MODELS_DIR)
        for version in deserialize("json", row.read_text()):
            version.object.pk = None
            version.save()
        return truth
    train(JobContext(now=NOW), settings=QUICK)
    shutil.copytree(settings.MODELS_DIR, cache / "models")
    row.write_text(serialize("json", ModelVersion.objects.all()))
    return truth


@contextmanager
def running_server() -> Iterator[ModelServer]:
    """Run a server with the active version in a thread; it does not watch which version is active."""
    server = ModelServer(loaded=LoadedModel.current())
    server.look = lambda: None
    server.bind()
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join()
        server.drain()
