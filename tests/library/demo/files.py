"""Making a demo for a test and reading it back."""

import csv
from datetime import UTC, datetime
from pathlib import Path

from library.demo.generate import DemoFiles, generate

NOW = datetime(2026, 3, 14, 9, 30, tzinfo=UTC)


def make_demo(folder: Path, **changes) -> DemoFiles:
    sizes = {"seed": 7, "titles": 120, "borrowers": 40, "loans": 1_500, "now": NOW}
    return generate(folder=folder, progress=lambda phase, done, total: None, **(sizes | changes))


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file, strict=True))


def contents(files: DemoFiles) -> dict[str, bytes]:
    return {
        str(path.relative_to(files.folder)): path.read_bytes()
        for path in files.folder.rglob("*")
        if path.is_file()
    }


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)
