"""Whatever is killed in whichever phase of a job: afterwards all is as if it had been left in peace."""

import pytest

from classifier.services.runs.pace import USUAL

#: Only with a modality that is off by default, and only where tuning finds something better.
NOT_HERE = {"reading sentences", "measuring what was found"}
PHASES = [(kind, phase) for kind, phases in USUAL.items() for phase in phases if phase not in NOT_HERE]
VICTIMS = ["worker", "beat", "broker", "database"]
#: One a victim, the quickest of those that write: these run before each change lands.
OFTEN = [
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
        marks=pytest.mark.faults if (kind, phase, victim) in OFTEN else pytest.mark.phases,
    )
    for kind, phase in PHASES
    for victim in VICTIMS
]


@pytest.mark.parametrize(("kind", "phase", "victim"), CASES)
def test_a_run_comes_to_its_end_whatever_is_killed_in_its_midst(library, kind, phase, victim):
    worker = library.worker(hold_at=f"{kind}:{phase}")
    beat = library.beat()
    with library.web() as web:
        run = web.ask(kind)
        library.wait_until_held()
        if victim == "worker":
            worker.kill()
            worker = library.worker()
        elif victim == "beat":
            beat.kill()
            beat = library.beat()
        else:
            server = {"broker": library.broker, "database": library.database}[victim]
            server.kill()
            server.start()
        library.go_on()
        library.comes_to_its_end(web, run)
    assert beat.running
    assert worker.end() == 0
    assert not worker.children()
