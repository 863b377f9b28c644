"""Import of categories from a CSV file."""

from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

from django.utils.translation import gettext as _

from library.catalogue.importing.fields import truncate
from library.catalogue.models import Category
from library.catalogue.selectors.categories import retired_notations
from library.catalogue.services import ensure_categories
from library.console import Progress, no_progress
from library.tabular import ImportReport, Row, clean_line, import_file, max_length, quoted

LABELS = ("label_en", "label_zh")


def import_categories(
    *,
    path: Path,
    scheme: str = "local",
    dry_run: bool = False,
    strict: bool = False,
    progress: Progress = no_progress,
) -> ImportReport:
    """Create or update a category for each row of a file, in one transaction.

    A parent is given by its notation. It may come later in the file or exist already.

    Parameters
    ----------
    path
        CSV, plain or gzip, UTF-8: `notation` and any of `label_en`, `label_zh` and `parent`.
    scheme
        The classification scheme they belong to.
    dry_run
        Roll back at the end.
    strict
        Refuse the file if it has any problem.

    Raises
    ------
    UnusableFileError
        If nothing can be read.
    ImportRefusedError, ConcurrentChangeError
        If nothing is imported.
    """
    with import_file(
        path=path,
        required=("notation",),
        optional=(*LABELS, "parent"),
        dry_run=dry_run,
        strict=strict,
        progress=progress,
    ) as file:
        rows: dict[str, Row] = {}
        retired = retired_notations(scheme=scheme)
        for row in file.rows:
            if (notation := _notation(row, rows, retired, file.report)) is not None:
                rows[notation] = row
        _write(rows, scheme, file.report)
    return file.report


def _notation(row: Row, rows: dict[str, Row], retired: set[str], report: ImportReport) -> str | None:
    notation = clean_line(row.cells["notation"])
    limit = max_length(Category, "notation")
    if not notation or len(notation) > limit:
        values = {"text": quoted(notation), "most": limit}
        message = (
            _("%(text)s is longer than %(most)s characters.") % values if notation else _("Missing notation.")
        )
        report.skip(row.line, "notation", message)
        return None
    if notation in retired:
        message = _("Category %s has been retired. To restore it, undo the category change.") % quoted(
            notation
        )
        report.skip(row.line, "notation", message)
        return None
    if notation in rows:
        values = {"id": quoted(notation), "line": rows[notation].line}
        message = _("%(id)s duplicates line %(line)s. This line will be used.") % values
        report.problem(row.line, "notation", message)
    return notation


def _write(rows: dict[str, Row], scheme: str, report: ImportReport) -> None:
    before = set(Category.objects.filter(scheme=scheme).values_list("notation", flat=True))
    ensure_categories(scheme=scheme, notations=rows)
    # Locked, so that no parent changes between the check for circles and the update.
    locked = Category.objects.select_for_update().filter(scheme=scheme).order_by("pk")
    categories = {category.notation: category for category in locked}
    parents = _parents(rows, categories, report)
    changed: list[Category] = []
    for notation, row in rows.items():
        category = categories[notation]
        values: dict[str, Any] = {
            label: truncate(
                clean_line(row.cells[label]), label, max_length(Category, label), row=row, report=report
            )
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
    rows: dict[str, Row], categories: dict[str, Category], report: ImportReport
) -> dict[str, str | None]:
    """Return the new parent of each category that gets one, except those that would make a circle."""
    notations = {category.pk: notation for notation, category in categories.items()}
    before = {notation: notations.get(category.parent_id or 0) for notation, category in categories.items()}
    new: dict[str, str | None] = {}
    for notation, row in rows.items():
        if "parent" in row.cells:
            parent = clean_line(row.cells["parent"])
            if parent and parent not in categories:
                report.problem(
                    row.line,
                    "parent",
                    _("Category %s does not exist. The value is skipped.") % quoted(parent),
                )
            elif parent and categories[parent].retired_at:
                report.problem(
                    row.line,
                    "parent",
                    _("Category %s has been retired. The value is skipped.") % quoted(parent),
                )
            elif (parent or None) != before[notation]:
                new[notation] = parent or None
    while circle := _circle(before | new):
        for notation in (at_fault := [notation for notation in circle if notation in new]):
            message = _("This parent would create a loop: %s. The value is skipped.")
            report.problem(rows[notation].line, "parent", message % quoted(" > ".join(circle)))
            del new[notation]
        if not at_fault:  # not caused by this file: cut the circle, so that the search goes on
            before[circle[0]] = None
    return new


def _circle(parents: dict[str, str | None]) -> list[str]:
    """Return the notations along a circle of parents, each once; an empty list if there is none.

    These parents are not in the database yet, so a tree query cannot find the circle.
    """
    try:
        TopologicalSorter({notation: [parent] for notation, parent in parents.items() if parent}).prepare()
    except CycleError as error:
        circle: list[str] = error.args[1][1:]
        return circle
    return []
