"""A disk that is really full while a model is saved: a small one of the test's own."""

import os
import subprocess
from contextlib import suppress
from shutil import disk_usage

import pytest

from classifier.models import ModelVersion, Run
from classifier.services import jobs
from classifier.services.registry.versions import active_version, load_serving
from classifier.services.runs.lifecycle import open_run
from tests.classifier.libraries import QUICK, make_library
from tests.factories import NOW

pytestmark = pytest.mark.django_db

SIZE = 4 * 2**20


@pytest.fixture
def small_disk(settings):
    """Let the models lie on a disk of four megabytes."""
    folder = settings.MODELS_DIR
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", str(folder)]
    try:
        mounted = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("No disk can be mounted here: there is no mount command.")
    if mounted.returncode:
        pytest.skip(f"No disk can be mounted here: {mounted.stderr.strip()}")
    yield folder
    subprocess.run(["umount", str(folder)], check=True)


def train(seed):
    parameters = {"settings": list(QUICK), "seed": seed}
    run, _ = open_run(kind="train", trigger="manual", now=NOW, parameters=parameters)
    return jobs.work(run_id=run.pk)


def fill(file):
    """Leave room on the disk for the first files of a model, not for all."""
    with suppress(OSError), file.open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))
    assert disk_usage(file.parent).free == 0
    os.truncate(file, file.stat().st_size - 16_384)


def test_a_full_disk_fails_the_run_in_words_and_the_old_version_serves_on(small_disk):
    make_library()
    first = train(0)
    assert first.status == Run.Status.SUCCEEDED, first.error
    before = {path: path.stat().st_mtime_ns for path in small_disk.rglob("*")}
    filler = small_disk / "somebody else's"
    fill(filler)

    failed = train(1)
    assert (failed.status, failed.traceback) == (Run.Status.FAILED, "")
    assert failed.error == (
        f"The model could not be written to {small_disk}: [Errno 28] No space left on device. Free some "
        "space, or keep fewer old versions (VERSIONS_KEPT), and train again. What was active goes on "
        "serving."
    )
    assert {path: path.stat().st_mtime_ns for path in small_disk.rglob("*") if path != filler} == before
    assert ModelVersion.objects.get() == active_version() == load_serving(now=NOW)[0]

    filler.unlink()
    second = train(1)
    assert second.status == Run.Status.SUCCEEDED
    assert active_version().name == second.result["version"]
    assert len(list(small_disk.iterdir())) == 2
