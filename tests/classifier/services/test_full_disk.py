"""Training with a disk that is really full: a small one, mounted for the test."""

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
    return jobs.execute_run(run_id=run.pk)


def fill(file):
    """Leave room on the disk for the first files of a model, not for all."""
    with suppress(OSError), file.open("wb", buffering=0) as filler:
        while True:
            filler.write(bytes(4096))
    assert disk_usage(file.parent).free == 0
    os.truncate(file, file.stat().st_size - 16_384)


def test_full_disk_fails_the_run_and_keeps_the_version(small_disk):
    make_library()
    first = train(0)
    assert first.status == Run.Status.SUCCEEDED, first.error
    before = {path: path.stat().st_mtime_ns for path in small_disk.rglob("*")}
    filler = small_disk / "somebody else's"
    fill(filler)

    failed = train(1)
    assert (failed.status, failed.traceback) == (Run.Status.FAILED, "")
    assert failed.error == (
        f"The model could not be saved to {small_disk} ([Errno 28] No space left on device); the active "
        "version is unchanged. Free up disk space or lower MODEL_VERSIONS_TO_KEEP, then train again."
    )
    assert {path: path.stat().st_mtime_ns for path in small_disk.rglob("*") if path != filler} == before
    assert ModelVersion.objects.get() == active_version() == load_serving(now=NOW)[0]

    filler.unlink()
    second = train(1)
    assert second.status == Run.Status.SUCCEEDED
    assert active_version().name == second.result["version"]
    assert len(list(small_disk.iterdir())) == 2
