"""How truthful the estimate of the time left is: train a library again and again, and look at what was said.

    python tests/benchmarks/progress.py [FOLDER]

The library is the demo, or that of a folder with ``books.csv.gz`` and ``loans.csv.gz``.
The first training of an installation is estimated by the usual phases, the
second by the first one.
"""

import os
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

os.environ["LIBRARY_DATA_DIR"] = tempfile.mkdtemp(prefix="library-progress-")
os.environ["DJANGO_SETTINGS_MODULE"] = "library.settings.base"

import django

django.setup()

from django.core.management import call_command  # noqa: E402
from django.utils import timezone  # noqa: E402

from classifier.models import Run  # noqa: E402
from classifier.services import jobs  # noqa: E402
from classifier.services.runs.heartbeat import Reporter  # noqa: E402
from library.catalogue.importing.books import import_books  # noqa: E402
from library.catalogue.importing.categories import import_categories  # noqa: E402
from library.circulation.importing.loans import import_loans  # noqa: E402
from library.demo.generate import DemoFiles, generate  # noqa: E402

said: list[tuple[float, float, float | None]] = []
write = Reporter._write


def write_and_note(self: Reporter) -> None:
    write(self)
    said.append((time.monotonic(), *self.pace.reading()))


Reporter._write = write_and_note  # type: ignore[method-assign]


def main() -> None:
    now = timezone.now()
    call_command("migrate", verbosity=0)
    if len(sys.argv) > 1:
        folder = Path(sys.argv[1])
        import_books(path=folder / "books.csv.gz", now=now)
        import_loans(path=folder / "loans.csv.gz", now=now)
    else:
        files = DemoFiles(Path(os.environ["LIBRARY_DATA_DIR"]) / "demo")
        generate(folder=files.folder, seed=1, now=now, progress=lambda *step: None)
        import_categories(path=files.categories)
        import_books(path=files.books, covers=files.covers, now=now)
        import_loans(path=files.loans, now=now)
    for kind in (
        Run.Kind.TRAIN,
        Run.Kind.TRAIN,
        Run.Kind.TRAIN,
        Run.Kind.RECLASSIFY,
        Run.Kind.RECOMMEND,
        Run.Kind.RECOMMEND,
    ):
        said.clear()
        began = time.monotonic()
        jobs.run_here(kind=kind, now=timezone.now(), force=True)
        took = time.monotonic() - began
        end = began + took
        late = [(at, left) for at, _, left in said if (at - began) / took >= 0.5 and end - at >= 2]
        # It is told once a second, so it cannot be truer than that.
        errors = [max(0.0, abs((left or 0) - (end - at)) - 1) / (end - at) for at, left in late]
        worst = f"{max(errors):.0%}" if errors else "-"
        falls = sum(second[1] < first[1] for first, second in pairwise(said))
        print(f"{kind:12} {took:6.1f} s  heartbeats {len(said):4}  progress fell {falls} times  "
              f"worst estimate from half-way on, a second aside: {worst}")  # fmt: skip
        run = Run.objects.filter(kind=kind).first()
        for phase in dict.fromkeys(knot[0] for knot in run.timeline if knot[0]):
            first = next(knot[2] for knot in run.timeline if knot[0] == phase)
            print(f"    {first / took:4.0%} {phase}")


if __name__ == "__main__":
    main()
