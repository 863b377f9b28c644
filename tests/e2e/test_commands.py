"""Commands as processes: exit codes, error messages, and predictions that do not depend on the process."""

import csv
import json
import shutil
import subprocess
import sys

import pytest

from classifier.services.classification.reclassify import classify
from classifier.services.runs.context import JobContext
from classifier.services.training.training import train
from tests.classifier.libraries import QUICK, UNCATEGORISED
from tests.e2e.processes import ROOT, environment, manage
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


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("FINE_LIMIT", "ten", 'Environment variable "FINE_LIMIT" invalid: Not a valid number.'),
        ("API_RATES", "60", "API_RATES contains 60=. Write for example "),
        ("NOTICE_DAYS_AFTER", "8,1", "NOTICE_DAYS_AFTER is [8, 1]. List days in ascending order"),
        ("TIME_ZONE", "Mars", "TIME_ZONE is Mars, which is not a time zone."),
        ("LIBRARY_DATA_DIR", "/proc/library", "LIBRARY_DATA_DIR is /proc/library, where no folder can be"),
    ],
)
@pytest.mark.parametrize("program", [["manage.py", "check"], ["-m", "celery", "-A", "library", "beat"]])
def test_invalid_setting_is_one_line(tmp_path, program, name, value, message):
    completed = subprocess.run(
        [sys.executable, *program],
        cwd=ROOT,
        env=environment(tmp_path, **{name: value}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert (completed.returncode, completed.stdout) == (2, "")
    assert completed.stderr.startswith(f"Invalid settings: {message}")
    assert "Traceback" not in completed.stderr
    assert completed.stderr.count("\n") == 1


def test_gunicorn_does_not_start_with_an_invalid_setting(tmp_path):
    gunicorn = ["-m", "gunicorn", "library.wsgi", "--config", "docker/gunicorn.conf.py"]
    completed = subprocess.run(
        [sys.executable, *gunicorn, "--bind", f"unix:{tmp_path}/socket"],
        cwd=ROOT,
        env=environment(tmp_path, FINE_LIMIT="ten"),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert completed.returncode == 2
    lines = completed.stderr.splitlines()
    assert lines[-1] == 'Invalid settings: Environment variable "FINE_LIMIT" invalid: Not a valid number.'
    assert "Booting worker" not in completed.stderr


def test_demo_reports_an_unavailable_database(tmp_path):
    completed = manage(
        tmp_path, "demo", "--no-serve", DATABASE_URL=f"sqlite:///{tmp_path}/nowhere/library.sqlite3"
    )
    assert (completed.returncode, completed.stdout) == (1, "")
    assert completed.stderr.startswith(
        "CommandError: The database is unavailable (unable to open database file)"
    )
    assert completed.stderr.count("\n") == 1
