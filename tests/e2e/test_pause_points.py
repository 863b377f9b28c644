"""Every pause point of the fault tests exists, so that a rename cannot break them unnoticed."""

import ast
from importlib import import_module
from pathlib import Path
from pkgutil import resolve_name

import pytest

from classifier import tasks
from classifier.models import Run
from classifier.services.runs.phases import PHASES
from tests.e2e.faults.test_concurrency import CHUNK_POINTS
from tests.e2e.faults.test_crash_points import COMMITTED, CRASH_POINTS
from tests.e2e.faults.test_phases import CASES, FREQUENT, SKIPPED

FAULTS = Path(__file__).with_name("faults")
#: Names of the parameters of tests, and of the argument of `Installation.start_worker`.
NAMES = ("pause_at", "at")


def parametrized(module):
    """Yield the pause points that tests of a module are parametrized with."""
    for test in vars(module).values():
        for mark in getattr(test, "pytestmark", ()):
            if getattr(mark, "name", "") == "parametrize" and mark.args[0] in NAMES:
                yield from mark.args[1]


def literals(module):
    """Yield the pause points that a module's source passes as literal arguments."""
    for node in ast.walk(ast.parse(Path(module.__file__).read_text(encoding="utf-8"))):
        if isinstance(node, ast.keyword) and node.arg in NAMES and isinstance(node.value, ast.Constant):
            yield node.value.value


def pause_points():
    names = [f"tests.e2e.faults.{file.stem}" for file in sorted(FAULTS.glob("test_*.py"))]
    points = {*CRASH_POINTS.values(), *(f"assist_batch:{point}" for point in CHUNK_POINTS.values())}
    for module in map(import_module, [*names, "tests.e2e.test_worker"]):
        points |= {*parametrized(module), *literals(module)}
    return sorted(points)


def test_pause_points_are_collected():
    points = pause_points()
    assert len(points) > len(CRASH_POINTS) + len(CHUNK_POINTS)
    assert {"train:training", "train:reading books"} <= set(points)


@pytest.mark.parametrize("point", pause_points())
def test_pause_point_exists(point):
    kind, _, place = point.partition(":")
    assert kind in Run.Kind.values or hasattr(tasks, kind)
    if "." in place:
        assert callable(resolve_name(place.removeprefix("after ")))
    else:
        assert place in PHASES[kind]


def test_names_in_the_fault_tests_exist():
    assert CRASH_POINTS.keys() >= COMMITTED
    assert {phase for phases in PHASES.values() for phase in phases} >= SKIPPED
    assert {case.values for case in CASES} >= set(FREQUENT)
