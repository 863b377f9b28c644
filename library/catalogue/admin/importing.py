"""The page that imports books: a file is checked, mended where it is at fault, and then imported."""

from collections import defaultdict
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin import ModelAdmin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.widgets import UnfoldAdminFileFieldWidget

from library.catalogue.importing.books import COLUMNS, import_books
from library.errors import LibraryError
from library.tabular import ImportRefusedError, UnusableFileError, rows_at, with_rows

#: What a file brings beside books: their categories and a first copy of each.
NEEDED = (
    "catalogue.add_book",
    "catalogue.change_book",
    "catalogue.add_category",
    "catalogue.add_copy",
)
#: Some thousands of titles, checked within a web request's time. The page takes the text along from the
#: check to the import, so it is well below the longest form (DATA_UPLOAD_MAX_MEMORY_SIZE).
MOST_BYTES = 2_000_000
MOST_LINES = 10_000
#: Faulty rows shown at a time: what is wrong with one is often wrong with all.
SHOWN = 50

_COUNTS = {
    "created": gettext_lazy("new books"),
    "updated": gettext_lazy("changed books"),
    "unchanged": gettext_lazy("unchanged books"),
    "skipped": gettext_lazy("rows left out"),
    "categories": gettext_lazy("new categories"),
    "copies": gettext_lazy("new copies"),
}


class ImportForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("CSV file"),
        required=False,
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,text/csv"}),
    )
    #: The name and the text of the file that was checked before.
    name = forms.CharField(required=False)
    text = forms.CharField(required=False, strip=False)

    def clean(self) -> dict[str, Any]:
        """Put what was chosen in the place of what was checked before; `content` is the file's bytes."""
        given = super().clean() or {}
        if upload := given.get("file"):
            # Before it is read: a large upload lies on disk.
            if upload.size > MOST_BYTES:
                raise forms.ValidationError(self._too_long())
            given["name"], given["content"] = upload.name, upload.read()
        elif "file" in given and given.get("text"):
            given["content"] = given["text"].encode()
        else:
            raise forms.ValidationError(_("Choose a file that is not empty."))
        if given["content"].startswith(b"\x1f\x8b"):
            raise forms.ValidationError(_("This file is packed. Unpack it first."))
        if len(given["content"]) > MOST_BYTES or given["content"].count(b"\n") > MOST_LINES:
            raise forms.ValidationError(self._too_long())
        # The end of it: no folder's name, and no longer than a file's may be.
        given["name"] = Path(given["name"]).name[-60:].strip(".") or "books.csv"
        return given

    @staticmethod
    def _too_long() -> str:
        limits = {
            "megabytes": number_format(MOST_BYTES / 1_000_000, decimal_pos=0),
            "lines": number_format(MOST_LINES, force_grouping=True),
        }
        text = _(
            "This page takes up to %(megabytes)s MB and %(lines)s lines; manage.py import_books takes more."
        )
        return text % limits


def may_import(request: HttpRequest) -> bool:
    return request.user.has_perms(NEEDED)


def import_page(model_admin: ModelAdmin, request: HttpRequest) -> HttpResponse:
    """Show the form; a POST shows what a file would bring and what is wrong with it, or imports it."""
    if not may_import(request):
        raise PermissionDenied
    form = ImportForm(request.POST or None, request.FILES or None)
    context: dict[str, Any] = {}
    if request.method == "POST" and form.is_valid():
        given, do = form.cleaned_data, request.POST.get("do", "check")
        content = given["content"]
        if given["file"]:
            do = "check"  # nobody has seen yet what it would do
        else:
            content = with_rows(text=given["text"], rows=_mended(request)).encode()
        report = _imported(content, name=given["name"], dry_run=do == "check", strict=do == "import")
        if do != "check" and not report.get("error"):
            told = ", ".join(f"{words} {number}" for words, number in _counts(report))
            model_admin.message_user(request, f"{report['file']}: {told}", messages.SUCCESS)
            return HttpResponseRedirect(reverse("admin:catalogue_book_changelist"))
        context = _checked(content, report)
    page = {
        **model_admin.admin_site.each_context(request),
        "title": _("Import books"),
        "opts": model_admin.opts,
        "form": form,
        "columns": ["id", *COLUMNS],
        **context,
    }
    return render(request, "catalogue/import.html", page)


def _mended(request: HttpRequest) -> dict[int, str]:
    """Return the rows that were mended on the page, by line."""
    fields = ((name.removeprefix("line-"), name) for name in request.POST if name.startswith("line-"))
    return {
        int(line): request.POST[name]
        for line, name in fields
        if line.isascii() and line.isdecimal() and len(line) < 9
    }


def _imported(content: bytes, *, name: str, dry_run: bool, strict: bool) -> dict[str, Any]:
    """Return the report of an import; `error` says why nothing was or would be kept."""
    # A folder of its own: beside the file, no covers and no recordings are found.
    with TemporaryDirectory() as folder:
        path = Path(folder) / name
        path.write_bytes(content)
        try:
            return import_books(path=path, dry_run=dry_run, strict=strict, now=timezone.now()).as_dict()
        except ImportRefusedError as refused:
            return refused.extra | {"error": refused.message}
        except UnusableFileError as unusable:
            place = unusable.extra["row"], unusable.extra["column"]
            problem = {"row": place[0] or 1, "column": place[1], "message": unusable.message}
            return {"file": name, "problems": [problem], "warnings": [], "error": unusable.message}
        except LibraryError as error:
            return {"file": name, "problems": [], "warnings": [], "error": error.message}


def _checked(content: bytes, report: dict[str, Any]) -> dict[str, Any]:
    """Return what the page shows of a file that was looked at."""
    by_line: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for problem in report["problems"]:
        by_line[problem["row"]].append(problem)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        # It cannot be shown, so it has to be mended where it came from.
        text = ""
    shown = sorted(by_line)[:SHOWN]
    rows = rows_at(text=text, lines=shown)
    return {
        "report": report,
        "counts": _counts(report),
        "text": text,
        "rows": [(line, rows.get(line), by_line[line]) for line in shown],
        "faulty": len(by_line),
        "more": len(by_line) - len(shown),
    }


def _counts(report: dict[str, Any]) -> list[tuple[str, str]]:
    counts = report | report.get("made", {})
    return [
        (str(words), number_format(counts[name], force_grouping=True))
        for name, words in _COUNTS.items()
        if counts.get(name)
    ]
