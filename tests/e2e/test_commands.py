"""Commands as processes: how they end, and that a process more or less changes no prediction."""

import csv
import json
import shutil

import pytest

from classifier.services.classification.reclassify import classify
from classifier.services.training.training import train
from tests.classifier.libraries import QUICK, UNCATEGORISED
from tests.e2e.processes import manage
from tests.factories import NOW

SETTINGS = [argument for setting in QUICK for argument in ("--set", setting)]


def predictions(file):
    """All but the version's name, which holds the time of day."""
    with file.open(encoding="utf-8", newline="") as lines:
        return [row[:4] for row in csv.reader(lines)]


@pytest.mark.thorough
def test_two_processes_train_and_classify_alike(library_folder, small_library, opened, tmp_path):
    trained = manage(small_library, "train", "--seed", "3", *SETTINGS, "--json")
    assert (trained.returncode, trained.stderr) == (0, "")
    classified = manage(small_library, "classify", "--json", "--output", tmp_path / "theirs.csv")
    assert (classified.returncode, classified.stderr) == (0, "")
    assert json.loads(classified.stdout)["version"] == json.loads(trained.stdout)["version"]

    with opened(shutil.copytree(library_folder, tmp_path / "other")):
        here = train(now=NOW, seed=3, settings=QUICK)
        classify(now=NOW, output=tmp_path / "ours.csv")
    assert json.loads(trained.stdout)["metrics"] == here["metrics"]
    assert predictions(tmp_path / "theirs.csv") == predictions(tmp_path / "ours.csv")
    assert len(predictions(tmp_path / "ours.csv")) == 1 + 3 * UNCATEGORISED


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["evaluate", "--version", "nope"], 1, "CommandError: There is no model version nope."),
        (["train", "--seed", "x"], 2, "manage.py train: error: argument --seed: invalid int value: 'x'"),
    ],
)
def test_a_failure_is_an_exit_code_and_a_sentence(small_library, arguments, code, says):
    ended = manage(small_library, *arguments)
    assert (ended.returncode, ended.stdout) == (code, "")
    assert ended.stderr.splitlines()[-1].startswith(says)
    assert "Traceback" not in ended.stderr


def test_a_database_that_cannot_be_reached_is_an_error_of_the_demo_too(tmp_path):
    ended = manage(
        tmp_path, "demo", "--no-serve", DATABASE_URL=f"sqlite:///{tmp_path}/nowhere/library.sqlite3"
    )
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("CommandError: The database did not answer (unable to open database file)")
    assert ended.stderr.count("\n") == 1
