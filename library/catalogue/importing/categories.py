"""Import of categories from a CSV file."""

from functools import partial
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from library.catalogue.importing.fields import cut
from library.catalogue.models import Category
from library.catalogue.selectors.categories import retired_notations
from library.catalogue.services import ensure_categories
from library.console import Progress, no_progress
from library.tabular import ImportReport, Row, clean_line, kept_or_undone, longest, quoted, read_rows

LABELS = ("label_en", "label_zh")


def import_categories(
    *,
    path: Path,
    scheme: str = "local",
    dry_run: bool = False,
    strict: bool = False,
    progress: Progress = no_progress,
) -> ImportReport:
    """Make or update a category for each row of a file, in one transaction.

    A category's parent is named by its notation and may come later in the file, or be there already.

    Parameters
    ----------
    path : Path
        CSV, plain or gzip, UTF-8: `notation` and any of `label_en`, `label_zh` and `parent`.
    scheme : str
        The classification scheme they belong to.
    dry_run : bool
        Do it all, then undo it.
    strict : bool
        Keep nothing if there is any problem.
    progress : Progress

    Returns
    -------
    ImportReport

    Raises
    ------
    UnusableFileError
        If nothing can be read.
    ImportRefusedError, ChangedMeanwhileError
        If nothing was kept.
    """
    report = ImportReport(file=path.name, dry_run=dry_run)
    with kept_or_undone(report, strict=strict):
        _columns, rows = read_rows(
            path=path,
            required=("notation",),
            optional=(*LABELS, "parent"),
            report=report,
            progress=partial(progress, f"reading {path.name} (KiB)"),
        )
        said: dict[str, Row] = {}
        retired = retired_notations(scheme=scheme)
        for row in rows:
            if (notation := _notation(row, said, retired, report)) is not None:
                said[notation] = row
        if not said and not report.skipped:
            report.warnings.append(_("%s has no rows.") % report.file)
        _write(said, scheme, report)
    return report


def _notation(row: Row, said: dict[str, Row], retired: set[str], report: ImportReport) -> str | None:
    """Return the notation of a row that can be kept; report one that cannot."""
    notation = clean_line(row.cells["notation"])
    most = longest(Category, "notation")
    if not notation or len(notation) > most:
        values = {"text": quoted(notation), "most": most}
        message = (
            _("%(text)s is longer than %(most)s characters.") % values if notation else _("No notation.")
        )
        report.skip(row.line, "notation", message)
        return None
    if notation in retired:
        message = _("%s was retired. Undo the taxonomy change to have it back.") % quoted(notation)
        report.skip(row.line, "notation", message)
        return None
    if notation in said:
        values = {"id": quoted(notation), "line": said[notation].line}
        message = _("%(id)s is on line %(line)s already; this line is the one that counts.") % values
        report.problem(row.line, "notation", message)
    return notation


def _write(said: dict[str, Row], scheme: str, report: ImportReport) -> None:
    before = set(Category.objects.filter(scheme=scheme).values_list("notation", flat=True))
    ensure_categories(scheme=scheme, notations=said)
    # By notation; locked, so that no parent changes between the search for cycles and the writing.
    scheme_now = Category.objects.select_for_update().filter(scheme=scheme).order_by("pk")
    categories = {category.notation: category for category in scheme_now}
    parents = _parents(said, categories, report)
    changed: list[Category] = []
    for notation, row in said.items():
        category = categories[notation]
        values: dict[str, Any] = {
            label: cut(clean_line(row.cells[label]), Category, label, row=row, report=report)
            for label in LABELS
            if label in row.cells
        }
        if notation in parents:
            parent = parents[notation]
            values["parent_id"] = categories[parent].pk if parent else None
        differs = any(getattr(category, field) != value for field, value in values.items())
        for field, value in values.items():
            setattr(category, field, value)
        if differs:
            changed.append(category)
        if notation not in before:
            report.created += 1
        elif differs:
            report.updated += 1
        else:
            report.unchanged += 1
    Category.objects.bulk_update(changed, [*LABELS, "parent"], batch_size=100)


def _parents(
    said: dict[str, Row], categories: dict[str, Category], report: ImportReport
) -> dict[str, str | None]:
    """Return the new parent of each category that gets one; leave out those that lead round in a circle."""
    notations = {category.pk: notation for notation, category in categories.items()}
    before = {notation: notations.get(category.parent_id or 0) for notation, category in categories.items()}
    new: dict[str, str | None] = {}
    for notation, row in said.items():
        if "parent" in row.cells:
            parent = clean_line(row.cells["parent"])
            if parent and parent not in categories:
                report.problem(row.line, "parent", _("No category %s; left out.") % quoted(parent))
            elif parent and categories[parent].retired_at:
                report.problem(row.line, "parent", _("%s was retired; left out.") % quoted(parent))
            elif (parent or None) != before[notation]:
                new[notation] = parent or None
    while circle := _circle(before | new):
        for notation in (at_fault := [notation for notation in circle if notation in new]):
            message = _("The category would stand above itself: %s; left out.")
            report.problem(said[notation].line, "parent", message % quoted(" > ".join(circle)))
            del new[notation]
        if not at_fault:  # it was there before this file: cut it, so that the search goes on
            before[circle[0]] = None
    return new


def _circle(parents: dict[str, str | None]) -> list[str]:
    """Return the notations of a circle of parents, each once; none if there is no circle."""
    try:
        TopologicalSorter({notation: [parent] for notation, parent in parents.items() if parent}).prepare()
    except CycleError as error:
        circle: list[str] = error.args[1][1:]
        return circle
    return []
