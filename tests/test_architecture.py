"""Import contracts, and the packages that a web process and ``--help`` may load."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]

#: Each costs part of a second, or hundreds of megabytes, which a page or --help does not need.
HEAVY = {"torch", "torchvision", "sklearn", "scipy", "numpy", "jieba"}

RESOLVE_ALL_URLS = """
import library.wsgi
from django.urls import get_resolver
assert len(get_resolver().reverse_dict) > 0
"""

HELP = """
import runpy, sys
sys.argv = ["manage.py", "--help"]
try:
    runpy.run_path("manage.py", run_name="__main__")
except SystemExit as end:
    assert not end.code
"""

PRINT_LOADED = """
import sys
print("loaded:", *sorted({name.partition(".")[0] for name in sys.modules}))
"""


def loaded_by(code: str, data_folder: Path) -> set[str]:
    """Return the top-level packages that a fresh interpreter has loaded after running the code."""
    environment = os.environ | {
        "DJANGO_SETTINGS_MODULE": "library.settings.dev",
        "LIBRARY_DATA_DIR": str(data_folder),
    }
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", code + PRINT_LOADED],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return set(result.stdout.rpartition("loaded:")[2].split())


def test_import_contracts_hold():
    # A separate process: in this one it would disable every logger that other tests capture.
    result = subprocess.run(
        [Path(sys.executable).with_name("lint-imports"), "--no-cache"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize(
    ("code", "expected"), [(RESOLVE_ALL_URLS, "rest_framework"), (HELP, "django")], ids=["web", "--help"]
)
def test_web_process_and_help_load_no_learning_libraries(code, expected, data_folder):
    loaded = loaded_by(code, data_folder)
    assert expected in loaded
    assert loaded & HEAVY == set()
