"""The moments between two writes that belong together, and ways to die other than all at once."""

import signal

import pytest

from classifier.models import ModelVersion, Run
from tests.e2e.faults.servers import wait_for

pytestmark = pytest.mark.faults

CLOSE = "classifier.services.runs.lifecycle.close"
MOMENTS = {
    "the files are written and have no name": "train:classifier.pipeline.storage.sealed_directory.os.rename",
    "the files are there and no row": "train:after classifier.services.registry.versions.save_model",
    "the row is there and undecided": "train:after classifier.services.registry.versions.keep_version",
    "what it would change is listed": "train:after classifier.services.training.training.propose",
    "it is active and not committed": "train:after classifier.services.training.training.promote",
    "training is about to finish": f"train:{CLOSE}",
    "training has finished and is not committed": f"train:after {CLOSE}",
    "nothing is pruned yet": "train:classifier.services.training.training.prune",
    "an old version is marked and has files": "train:classifier.services.registry.pruning.remove_files",
    "old files are half deleted": "train:classifier.pipeline.storage.sealed_directory.shutil.rmtree",
    "in the midst of a trial": "tune:classifier.pipeline.training.tune._cross_validated",
    "tuning has finished": f"tune:after {CLOSE}",
    "a batch is cut": "reclassify:after classifier.services.classification.reclassify._open",
    "a chunk is not committed": "reclassify:after classifier.services.classification.changes.apply",
    "a batch is about to be complete": "reclassify:classifier.services.classification.reclassify._complete",
    "reclassifying has finished and is not committed": f"reclassify:after {CLOSE}",
    "some are taken back": "undo:after classifier.services.classification.batches._take_back",
    "undoing has finished and is not committed": f"undo:after {CLOSE}",
    "recommending has finished and is not committed": f"recommend:after {CLOSE}",
    "some of the order is saved": "order_reviews:after classifier.services.review.ordering._save",
    "ordering has finished and is not committed": f"order_reviews:after {CLOSE}",
}
#: The run's end is committed by then: a second attempt is not called for.
OVER = {
    "nothing is pruned yet",
    "an old version is marked and its files are there",
    "old files are half deleted",
    "tuning has finished",  # it writes nothing else, so no transaction holds its end back
}


@pytest.fixture
def web(library):
    with library.web() as web:
        yield web


@pytest.mark.parametrize("moment", MOMENTS)
@pytest.mark.parametrize("victim", ["worker", "database"])
def test_what_belongs_together_is_written_together_or_not_at_all(library, web, moment, victim):
    at = MOMENTS[moment]
    library.more = {"VERSIONS_KEPT": "0"}
    worker = library.worker(hold_at=at)
    library.beat()
    run = web.ask(at.partition(":")[0])
    library.wait_until_held()
    if victim == "worker":
        worker.kill()
        library.worker()
    else:
        library.database.kill()
        library.database.start()
    library.go_on()
    over = moment in OVER
    library.comes_to_its_end(web, run, asks=not over, attempt=1 if over else 2)
    with library.opened():
        # One of each training: nothing of what was cut off is left over.
        assert ModelVersion.objects.count() == Run.objects.filter(kind="train", status="succeeded").count()


@pytest.mark.parametrize(
    "at", ["train:learning", "train:saving", "reclassify:classifying", "recommend:saving", "tune:searching"]
)
def test_work_goes_on_while_the_database_is_away(library, web, at):
    worker = library.worker(hold_at=at)
    library.beat()
    run = web.ask(at.partition(":")[0])
    library.wait_until_held()
    library.database.kill()
    library.go_on()
    # The job has to do with it sooner or later, and fails.
    worker.wait_until_said("as the database went away")
    library.database.start()
    library.comes_to_its_end(web, run, attempt=2)


@pytest.mark.parametrize("at", ["train:learning", "reclassify:classifying"])
def test_a_child_that_is_killed_for_want_of_memory_is_replaced(library, web, at):
    worker = library.worker(hold_at=at)
    library.beat()
    run = web.ask(at.partition(":")[0])
    library.wait_until_held()
    for child in worker.children():
        child.kill()
    library.go_on()
    library.comes_to_its_end(web, run, attempt=2)
    assert worker.end() == 0


@pytest.mark.parametrize("at", ["train:learning", "reclassify:classifying"])
def test_a_child_whose_worker_is_killed_goes_with_it(library, web, at):
    orphaned = library.worker(hold_at=at)
    library.beat()
    run = web.ask(at.partition(":")[0])
    library.wait_until_held()
    orphaned.kill_alone()
    wait_for(lambda: not orphaned.children(), otherwise=orphaned.children)
    library.worker("other")
    library.comes_to_its_end(web, run, attempt=2)


@pytest.mark.parametrize(
    "at", ["train:learning", "train:saving", "reclassify:classifying", "recommend:saving"]
)
def test_a_worker_that_is_told_to_end_does_its_run_first(library, web, at):
    """SIGTERM, as a deploy sends it, with the new worker there already."""
    old = library.worker(hold_at=at)
    library.beat()
    run = web.ask(at.partition(":")[0])
    library.wait_until_held()
    old.process.send_signal(signal.SIGTERM)
    library.worker("new")
    old.wait_until_said("Warm shutdown")
    assert old.running
    library.go_on()
    assert old.process.wait(timeout=60) == 0
    library.comes_to_its_end(web, run, attempt=1)
    assert not old.children()


def test_a_worker_that_a_deploy_gives_no_more_time_is_as_good_as_dead(library, web):
    old = library.worker(hold_at="train:learning with the held-out books")
    library.beat()
    run = web.ask("train")
    library.wait_until_held()
    old.process.send_signal(signal.SIGTERM)
    old.wait_until_said("Warm shutdown")
    old.kill()
    library.worker("new")
    library.comes_to_its_end(web, run, attempt=2)


def test_a_run_that_kills_each_worker_is_given_up_in_words(library, web):
    library.beat()
    run = web.ask("train")
    for attempt in range(1, 4):
        worker = library.worker(hold_at="train:reading books")
        library.wait_until_held()
        with library.opened():
            assert Run.objects.get(pk=run).attempt == attempt
        worker.kill()
        library.go_on()
    library.worker()
    library.comes_to_its_end(web, run, status="errored", attempt=3)


def test_a_queued_run_whose_turn_comes_as_the_worker_dies_is_done_too(library, web):
    worker = library.worker(hold_at="train:after classifier.services.training.training.prune")
    library.beat()
    first = web.ask("train")
    second = web.ask("train", parameters={"seed": 8, "settings": ["network.epochs=5"]})
    library.wait_until_held()
    worker.kill()
    library.worker()
    library.comes_to_its_end(web, first, asks=False, attempt=1)
    with library.opened():
        assert Run.objects.get(pk=second).status == "succeeded"


@pytest.mark.parametrize("at", ["train:learning", "reclassify:classifying", "recommend:saving"])
def test_all_that_is_killed_at_once_comes_back(library, web, at):
    """As when the machine stops."""
    worker = library.worker(hold_at=at)
    beat = library.beat()
    run = web.ask(at.partition(":")[0])
    library.wait_until_held()
    for victim in (worker, beat, library.broker, library.database):
        victim.kill()
    library.database.start()
    library.broker.start()
    library.beat()
    library.worker()
    library.comes_to_its_end(web, run, attempt=2)
