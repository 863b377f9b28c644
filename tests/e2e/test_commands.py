"""Commands as processes: exit codes, error messages, and predictions that do not depend on the process."""

import csv
import json
import shutil

import pytest

from classifier.services.classification.reclassify import classify
from classifier.services.runs.context import JobContext
from classifier.services.training.training import train
from tests.classifier.libraries import QUICK, UNCATEGORISED
from tests.e2e.processes import manage
from tests.factories import NOW

SETTINGS = [argument for setting in QUICK for argument in ("--set", setting)]


def predictions(file):
    """Return all columns but the name of the version, which contains the time of day."""
    with file.open(encoding="utf-8", newline="") as lines:
        return [row[:4] for row in csv.reader(lines)]


@pytest.mark.thorough
def test_predictions_do_not_depend_on_the_process(library_folder, small_library, open_database, tmp_path):
    trained = manage(small_library, "train", "--seed", "3", *SETTINGS, "--json")
    assert (trained.returncode, trained.stderr) == (0, "")
    classified = manage(small_library, "classify", "--json", "--output", tmp_path / "process.csv")
    assert (classified.returncode, classified.stderr) == (0, "")
    assert json.loads(classified.stdout)["version"] == json.loads(trained.stdout)["version"]

    with open_database(shutil.copytree(library_folder, tmp_path / "other")):
        trained_here = train(JobContext(now=NOW), seed=3, settings=QUICK)
        classify(JobContext(now=NOW), output=tmp_path / "here.csv")
    assert json.loads(trained.stdout)["metrics"] == trained_here["metrics"]
    assert predictions(tmp_path / "process.csv") == predictions(tmp_path / "here.csv")
    assert len(predictions(tmp_path / "here.csv")) == 1 + 3 * UNCATEGORISED


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["import_books", "nope.csv"], 1, "CommandError: nope.csv: cannot be read"),
        (["train", "--seed", "x"], 2, "manage.py train: error: argument --seed: invalid int value: 'x'"),
    ],
)
def test_failure_prints_one_sentence(small_library, arguments, code, message):
    completed = manage(small_library, *arguments)
    assert (completed.returncode, completed.stdout) == (code, "")
    assert completed.stderr.splitlines()[-1].startswith(message)
    assert "Traceback" not in completed.stderr


def test_demo_reports_an_unavailable_database(tmp_path):
    completed = manage(
        tmp_path, "demo", "--no-serve", DATABASE_URL=f"sqlite:///{tmp_path}/nowhere/library.sqlite3"
    )
    assert (completed.returncode, completed.stdout) == (1, "")
    assert completed.stderr.startswith(
        "CommandError: The database is unavailable (unable to open database file)"
    )
    assert completed.stderr.count("\n") == 1
