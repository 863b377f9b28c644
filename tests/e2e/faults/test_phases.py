"""Kill each server in each phase of each kind of run; the run completes as if undisturbed."""

import pytest

from classifier.services.runs.phases import PHASES as PHASES_BY_KIND

#: These phases do not occur here: the settings turn sentence embeddings off, tuning finds no better settings
#: in two trials, and the library has no covers.
SKIPPED = {"computing text embeddings", "evaluating the best settings found", "comparing covers"}
PHASES = [
    (str(kind), phase) for kind, phases in PHASES_BY_KIND.items() for phase in phases if phase not in SKIPPED
]
VICTIMS = ["worker", "beat", "broker", "database"]
#: One for each victim, the quickest phases that write: these run before each change lands.
FREQUENT = [
    ("reclassify", "classifying", "worker"),
    ("order_reviews", "saving", "database"),
    ("order_reviews", "saving", "broker"),
    ("order_reviews", "saving", "beat"),
]
CASES = [
    pytest.param(
        kind,
        phase,
        victim,
        id=f"{kind}-{phase.replace(' ', '_')}-{victim}",
        marks=pytest.mark.faults if (kind, phase, victim) in FREQUENT else pytest.mark.phases,
    )
    for kind, phase in PHASES
    for victim in VICTIMS
]


@pytest.mark.parametrize(("kind", "phase", "victim"), CASES)
def test_run_completes_whatever_is_killed(library, kind, phase, victim):
    worker = library.start_worker(pause_at=f"{kind}:{phase}")
    beat = library.start_beat()
    with library.start_web() as web:
        run = web.request_run(kind)
        library.wait_until_paused()
        if victim == "worker":
            worker.kill()
            worker = library.start_worker()
        elif victim == "beat":
            beat.kill()
            beat = library.start_beat()
        else:
            server = {"broker": library.broker, "database": library.database}[victim]
            server.kill()
            server.start()
        library.resume()
        library.check_completes(web, run)
    assert beat.running
    assert worker.terminate() == 0
    assert not worker.children()
