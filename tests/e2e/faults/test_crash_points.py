"""Crashes between two writes that belong together, and other ways to die than all at once."""

import signal

import pytest

from classifier.models import ModelVersion, Run
from tests.e2e.faults.servers import wait_for

pytestmark = pytest.mark.faults

CLOSE = "classifier.services.runs.lifecycle.close"
CRASH_POINTS = {
    "files written, not renamed": "train:classifier.pipeline.storage.sealed_directory.os.rename",
    "files without a row": "train:after classifier.services.registry.versions.save_model",
    "row without a decision": "train:after classifier.services.registry.versions.create_version",
    "changes previewed": "train:after classifier.services.training.training.propose",
    "promoted, not committed": "train:after classifier.services.training.training.promote",
    "training before its end": f"train:{CLOSE}",
    "training ended, not committed": f"train:after {CLOSE}",
    "before pruning": "train:classifier.services.training.training.prune",
    "old version marked, files left": "train:classifier.services.registry.pruning.remove_files",
    "old files half deleted": "train:classifier.pipeline.storage.sealed_directory.shutil.rmtree",
    "during a trial": "tune:classifier.pipeline.training.tune._cross_validate",
    "tuning ended": f"tune:after {CLOSE}",
    "batch divided into chunks": "reclassify:after classifier.services.classification.reclassify._open",
    "chunk not committed": "reclassify:after classifier.services.classification.chunk_worker.apply_changes",
    "before a batch is complete": (
        "reclassify:classifier.services.classification.batches.lifecycle.complete_batch"
    ),
    "reclassification ended, not committed": f"reclassify:after {CLOSE}",
    "some books restored": "undo:after classifier.services.classification.batches.undo._restore",
    "undo ended, not committed": f"undo:after {CLOSE}",
    "recommendations ended, not committed": f"recommend:after {CLOSE}",
    "order partly saved": "order_reviews:after classifier.services.review.ordering._save",
    "ordering ended, not committed": f"order_reviews:after {CLOSE}",
}
#: The end of the run is already committed here, so there is no second attempt.
COMMITTED = {
    "before pruning",
    "old version marked, files left",
    "old files half deleted",
    "tuning ended",  # writes nothing else, so no transaction delays the commit of its end
}


@pytest.mark.parametrize("point", CRASH_POINTS)
@pytest.mark.parametrize("victim", ["worker", "database"])
def test_related_writes_are_atomic(library, web, point, victim):
    pause_at = CRASH_POINTS[point]
    library.settings = {"MODEL_VERSIONS_TO_KEEP": "0"}
    worker = library.start_worker(pause_at=pause_at)
    library.start_beat()
    run = web.request_run(pause_at.partition(":")[0])
    library.wait_until_paused()
    if victim == "worker":
        worker.kill()
        library.start_worker()
    else:
        library.database.kill()
        library.database.start()
    library.resume()
    committed = point in COMMITTED
    library.check_completes(web, run, has_follow_up=not committed, attempt=1 if committed else 2)
    with library.open_database():
        # One version for each training: the interrupted attempt left none.
        assert ModelVersion.objects.count() == Run.objects.filter(kind="train", status="succeeded").count()


DURING_OUTAGE = [
    "train:training",
    "train:saving",
    "reclassify:classifying",
    "recommend:saving",
    "tune:searching settings",
]


@pytest.mark.parametrize("pause_at", DURING_OUTAGE)
def test_run_restarts_after_a_database_outage(library, web, pause_at):
    worker = library.start_worker(pause_at=pause_at)
    library.start_beat()
    run = web.request_run(pause_at.partition(":")[0])
    library.wait_until_paused()
    library.database.kill()
    library.resume()
    # The job needs the database sooner or later, and fails.
    worker.wait_for_output("the database is unavailable")
    library.database.start()
    library.check_completes(web, run, attempt=2)


@pytest.mark.parametrize("pause_at", ["train:training", "reclassify:classifying"])
def test_worker_replaces_a_child_killed_for_memory(library, web, pause_at):
    worker = library.start_worker(pause_at=pause_at)
    library.start_beat()
    run = web.request_run(pause_at.partition(":")[0])
    library.wait_until_paused()
    for child in worker.children():
        child.kill()
    library.resume()
    library.check_completes(web, run, attempt=2)
    assert worker.terminate() == 0


@pytest.mark.parametrize("pause_at", ["train:training", "reclassify:classifying"])
def test_child_ends_with_its_killed_worker(library, web, pause_at):
    worker = library.start_worker(pause_at=pause_at)
    library.start_beat()
    run = web.request_run(pause_at.partition(":")[0])
    library.wait_until_paused()
    worker.kill_parent()
    wait_for(lambda: not worker.children(), on_timeout=worker.children)
    library.start_worker("other")
    library.check_completes(web, run, attempt=2)


BEFORE_SHUTDOWN = ["train:training", "train:saving", "reclassify:classifying", "recommend:saving"]


@pytest.mark.parametrize("pause_at", BEFORE_SHUTDOWN)
def test_sigterm_lets_the_run_finish(library, web, pause_at):
    """SIGTERM as in a deployment, when the new worker already runs."""
    old = library.start_worker(pause_at=pause_at)
    library.start_beat()
    run = web.request_run(pause_at.partition(":")[0])
    library.wait_until_paused()
    old.process.send_signal(signal.SIGTERM)
    library.start_worker("new")
    old.wait_for_output("Warm shutdown")
    assert old.running
    library.resume()
    assert old.process.wait(timeout=60) == 0
    library.check_completes(web, run, attempt=1)
    assert not old.children()


def test_run_restarts_if_the_deployment_kills_the_worker(library, web):
    old = library.start_worker(pause_at="train:training again with the test books")
    library.start_beat()
    run = web.request_run("train")
    library.wait_until_paused()
    old.process.send_signal(signal.SIGTERM)
    old.wait_for_output("Warm shutdown")
    old.kill()
    library.start_worker("new")
    library.check_completes(web, run, attempt=2)


def test_run_that_kills_every_worker_fails_after_three_attempts(library, web):
    library.start_beat()
    run = web.request_run("train")
    for attempt in range(1, 4):
        worker = library.start_worker(pause_at="train:reading books")
        library.wait_until_paused()
        with library.open_database():
            assert Run.objects.get(pk=run).attempt == attempt
        worker.kill()
        library.resume()
    library.start_worker()
    library.check_completes(web, run, status="errored", attempt=3)


def test_next_run_starts_although_the_worker_died(library, web):
    worker = library.start_worker(pause_at="train:after classifier.services.training.training.prune")
    library.start_beat()
    first = web.request_run("train")
    second = web.request_run("train", parameters={"seed": 8, "settings": ["network.epochs=5"]})
    library.wait_until_paused()
    worker.kill()
    library.start_worker()
    library.check_completes(web, first, has_follow_up=False, attempt=1)
    with library.open_database():
        assert Run.objects.get(pk=second).status == "succeeded"


@pytest.mark.parametrize("pause_at", ["train:training", "reclassify:classifying", "recommend:saving"])
def test_everything_recovers_when_the_machine_stops(library, web, pause_at):
    worker = library.start_worker(pause_at=pause_at)
    beat = library.start_beat()
    run = web.request_run(pause_at.partition(":")[0])
    library.wait_until_paused()
    for victim in (worker, beat, library.broker, library.database):
        victim.kill()
    library.database.start()
    library.broker.start()
    library.start_beat()
    library.start_worker()
    library.check_completes(web, run, attempt=2)
