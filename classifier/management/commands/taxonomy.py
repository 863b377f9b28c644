"""``manage.py taxonomy``: merge, split, retire or move categories, or undo a change."""

from pathlib import Path
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone

from classifier.management.preview import preview_text
from library.catalogue.models import Category, TaxonomyChange
from library.catalogue.services.taxonomy.requests import (
    BooksTo,
    Child,
    Merge,
    Move,
    Retire,
    Rule,
    Split,
    TaxonomyChangeRequest,
    TaxonomyError,
)
from library.console import Command as BaseCommand
from library.console import Progress
from library.tabular import ImportReport, clean_line, read_rows


class Command(BaseCommand):
    help = (
        "Merge, split, retire or move categories in one transaction, or undo a change. Categories are "
        "identified by notation. --preview changes nothing: it shows how many books would move, the expected "
        "accuracy of the model, and how many books a person should review."
    )
    example = "manage.py taxonomy merge 004 005 --into 000 --preview"

    def add_arguments(self, parser: CommandParser) -> None:
        kinds = parser.add_subparsers(dest="kind", metavar="merge|split|retire|move|undo", required=True)
        merge = kinds.add_parser("merge", help="merge several categories into one")
        merge.add_argument("categories", nargs="+", metavar="CATEGORY")
        merge.add_argument("--into", required=True, metavar="CATEGORY")
        split = kinds.add_parser("split", help="split one into narrower ones")
        split.add_argument("category", metavar="CATEGORY")
        split.add_argument(
            "--children",
            type=Path,
            required=True,
            metavar="FILE",
            help="CSV with notation and any of label_en, label_zh, id (control number of a book) and word; a "
            "notation may have several rows",
        )
        split.add_argument("--rule", choices=Rule.values, default=Rule.BOOKS.value)
        retire = kinds.add_parser("retire", help="retire one")
        retire.add_argument("category", metavar="CATEGORY")
        retire.add_argument("--books-to", choices=BooksTo.values, default=BooksTo.PARENT.value)
        move = kinds.add_parser("move", help="move one below another")
        move.add_argument("category", metavar="CATEGORY")
        place = move.add_mutually_exclusive_group(required=True)
        place.add_argument("--parent", metavar="CATEGORY")
        place.add_argument("--top", action="store_true", help="move to the top level")
        undo = kinds.add_parser("undo", help="undo a change")
        undo.add_argument("change", type=int, metavar="NUMBER", help="number of the change")
        for kind in (merge, split, retire, move):
            kind.add_argument("--scheme", default="local", help="of the categories (default: %(default)s)")
            kind.add_argument("--preview", action="store_true", help="show the effects and change nothing")
        for kind in (merge, split, retire, move, undo):
            super().add_arguments(kind)

    def work(self, *, progress: Progress, **options: Any) -> dict[str, Any]:
        from classifier.services.taxonomy.changes import apply, undo
        from classifier.services.taxonomy.preview import preview

        now = timezone.now()
        if options["kind"] == "undo":
            change = TaxonomyChange.objects.filter(pk=options["change"]).first()
            if change is None:
                raise TaxonomyError(f"There is no taxonomy change {options['change']}.")
            return _summary(undo(now=now, change=change))
        change_request = _change_request(options)
        if options["preview"]:
            return preview(change_request=change_request, now=now)
        return _summary(apply(change_request=change_request, now=now))

    def show(self, result: dict[str, Any]) -> None:
        if "change" not in result:
            self.stdout.write(preview_text(result))
            return
        name = f"Category change {result['change']} ({result['kind']}: {result['summary']})"
        if result["undone"]:
            self.stdout.write(
                f"{name} undone. Books moved back: {result['books']}, not moved back: {result['kept']}."
            )
        else:
            self.stdout.write(
                f"{name} applied. Books moved: {result['books']}, undecided books: {result['undecided']}. "
                f"Undo it with manage.py taxonomy undo {result['change']}."
            )


def _change_request(options: dict[str, Any]) -> TaxonomyChangeRequest:
    scheme = options["scheme"]
    if options["kind"] == "merge":
        sources = tuple(_category(notation, scheme) for notation in options["categories"])
        return Merge(sources=sources, into=_category(options["into"], scheme))
    category = _category(options["category"], scheme)
    if options["kind"] == "split":
        return Split(category=category, children=_children(options["children"]), rule=options["rule"])
    if options["kind"] == "retire":
        return Retire(category=category, books_to=options["books_to"])
    return Move(category=category, parent=_category(options["parent"], scheme) if options["parent"] else None)


def _category(notation: str, scheme: str) -> int:
    pk = Category.objects.filter(scheme=scheme, notation=notation).values_list("pk", flat=True).first()
    if pk is None:
        raise TaxonomyError(f"There is no category {notation} in the scheme {scheme}. Check --scheme.")
    return pk


def _children(path: Path) -> tuple[Child, ...]:
    report = ImportReport(file=path.name)
    _columns, rows = read_rows(
        path=path, required=("notation",), optional=("label_en", "label_zh", "id", "word"), report=report
    )
    children: dict[str, dict[str, list[str]]] = {}
    for row in rows:
        child = children.setdefault(clean_line(row.cells["notation"]), {})
        for column, cell in row.cells.items():
            if value := clean_line(cell):
                child.setdefault(column, []).append(value)
    if report.problems:
        problem = report.problems[0]
        raise TaxonomyError(f"{problem.file}, line {problem.row}: {problem.message}", **report.as_dict())
    return tuple(
        Child(
            notation=notation,
            label_en=values.get("label_en", [""])[0],
            label_zh=values.get("label_zh", [""])[0],
            books=tuple(values.get("id", ())),
            words=tuple(values.get("word", ())),
        )
        for notation, values in children.items()
    )


def _summary(change: TaxonomyChange) -> dict[str, Any]:
    summary = {"change": change.pk, "kind": change.kind, "category": str(change.category)}
    summary["summary"] = change.summary
    if change.undone_at:
        return summary | {"books": change.books - change.kept, "kept": change.kept, "undone": True}
    return summary | {"books": change.books, "undecided": change.undecided, "undone": False}
