"""Every benchmark script runs at its smallest size and prints a result."""

import gzip
import os
import re
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from library.console import no_progress
from library.demo.generate import generate

SCRIPTS = Path(__file__).parent
ROOT = SCRIPTS.parents[1]
FOLDER = "FOLDER"
"""Replaced by a folder in the import format."""
QUICK = ("--set", "network.width=16", "--set", "network.epochs=3", "--set", "training.folds=2")
LIBRARY = ("--borrowers", "100", "--books", "600", "--loans", "3000", "--unsafe")

#: Arguments of the smallest run, and text that its output contains.
RUNS: dict[str, tuple[tuple[str, ...], str]] = {
    "accuracy": ((FOLDER, "--seeds", "1", *QUICK), "cover shuffled"),
    "admin_pages": (LIBRARY, "last page of books"),
    "analytics": ((*LIBRARY, "--categories", "20"), "after a title moved"),
    "anonymisation": (LIBRARY, "a night later"),
    "busy": ((sys.executable, "-c", "print('the command ran')"), "the command ran"),
    "catalogue_api": (
        ("--books", "2000", "--requests", "4", "--clients", "2", "--unsafe"),
        "all searches",
    ),
    "circulation": ((*LIBRARY, "--clients", "2", "--operations", "20", "--rounds", "2"), "bare UPDATE"),
    "classify_api": (
        ("--books", "400", "--loans", "2000", "--shelf-books", "60", "--clients", "2", "--requests", "4"),
        "model server",
    ),
    "learning_curve": ((FOLDER, "--sizes", "40", "--draws", "1", *QUICK), "characters 1-2"),
    "large_recommendations": ((*LIBRARY, "--requests", "10"), "over the API"),
    # Lighthouse is an npm package, which the tests do not install.
    "lighthouse": (("--help",), "--lighthouse"),
    "reclassify": (("--books", "120", "--workers", "2"), "books/s"),
    "recommendations": ((FOLDER, "--targets", "20"), "ours, without topics"),
    "reviews": (
        (FOLDER, "--start", "30", "--step", "10", "--rounds", "1", "--seeds", "1", *QUICK),
        "│ codes",
    ),
    "speed": ((FOLDER, "--sizes", "60", *QUICK), "ms per book"),
    "structures": ((FOLDER, "--seeds", "1", "--structures", "relu"), "| relu |"),
}


@pytest.fixture(scope="session")
def import_folder(tmp_path_factory) -> Path:
    """A small demo library, packed as the scripts read it."""
    folder = tmp_path_factory.mktemp("benchmarks") / "demo"
    now = datetime(2026, 1, 1, tzinfo=UTC)
    files = generate(
        folder=folder, seed=1, titles=150, borrowers=60, loans=1500, now=now, progress=no_progress
    )
    for file in (files.books, files.loans):
        file.with_name(f"{file.name}.gz").write_bytes(gzip.compress(file.read_bytes()))
    return folder


def test_every_script_has_a_smoke_run():
    scripts = {
        file.stem
        for file in SCRIPTS.glob("*.py")
        if re.search(r"^def main\(", file.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert scripts == RUNS.keys()


@pytest.mark.thorough
@pytest.mark.parametrize("script", RUNS)
def test_script_prints_its_results(script, import_folder, tmp_path):
    arguments, expected = RUNS[script]
    command = [str(import_folder) if argument == FOLDER else argument for argument in arguments]
    # Annif takes part if it is on the PATH.
    environment = os.environ | {"LIBRARY_DATA_DIR": str(tmp_path), "PATH": os.defpath, "COLUMNS": "200"}
    environment.pop("DATABASE_URL", None)
    completed = subprocess.run(
        [sys.executable, SCRIPTS / f"{script}.py", *command],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert completed.returncode == 0, completed.stderr
    assert expected in completed.stdout
