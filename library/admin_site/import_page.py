"""A page that imports: a file is checked, mended where it is at fault, and then imported."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import path, reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminFileFieldWidget

from library.errors import LibraryError
from library.tabular import ImportRefusedError, ImportReport, UnusableFileError, rows_at, with_rows

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

#: Some thousands of rows, checked within a web request's time. The page takes the text along from the
#: check to the import, so it is well below the longest form (DATA_UPLOAD_MAX_MEMORY_SIZE).
MOST_BYTES = 2_000_000
MOST_LINES = 10_000
#: Faulty rows shown at a time: what is wrong with one is often wrong with all.
SHOWN = 50


@dataclass(frozen=True, kw_only=True)
class Importing:
    """What a page imports."""

    title: "StrOrPromise"
    #: What the columns are and what the rows do, for people.
    about: "StrOrPromise"
    columns: tuple[str, ...]
    #: The permissions to make and change all that a file brings.
    needed: tuple[str, ...]
    #: What is told of an `ImportReport`: its counts, and what it has made, in words.
    counts: "dict[str, StrOrPromise]"
    #: Of ``manage.py``; takes what is too long for a page.
    command: str
    #: Called with `path`, `dry_run`, `strict` and `now`.
    work: Callable[..., ImportReport]


class ImportForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("CSV file"),
        required=False,
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,text/csv"}),
    )
    #: The name and the text of the file that was checked before.
    name = forms.CharField(required=False)
    text = forms.CharField(required=False, strip=False)

    def __init__(self, *arguments: Any, command: str) -> None:
        super().__init__(*arguments)
        self.command = command

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
        given["name"] = Path(given["name"]).name[-60:].strip(".") or f"{self.command}.csv"
        return given

    def _too_long(self) -> str:
        limits = {
            "megabytes": number_format(MOST_BYTES / 1_000_000, decimal_pos=0),
            "lines": number_format(MOST_LINES, force_grouping=True),
            "command": self.command,
        }
        text = _(
            "This page takes up to %(megabytes)s MB and %(lines)s lines; manage.py %(command)s takes more."
        )
        return text % limits


class ImportingAdmin(ModelAdmin):
    """Base of the admin classes of what can be imported: a page for that, and a link to it above the list."""

    imports: Importing
    list_before_template = "admin_site/import_link.html"

    def get_urls(self) -> list[Any]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_import"
        view = self.admin_site.admin_view(self.import_view)
        return [path("import/", view, name=name), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        title = self.imports.title if self.may_import(request) else ""
        return super().changelist_view(request, {"import_title": title} | (extra_context or {}))

    def may_import(self, request: HttpRequest) -> bool:
        return request.user.has_perms(self.imports.needed)

    def note_import(self, request: HttpRequest, *, kept: bool) -> None:
        """Write down that a file was checked, or imported, in its transaction; for a subclass to do."""

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """Show the form; a POST shows what a file would bring and what is wrong with it, or imports it."""
        if not self.may_import(request):
            raise PermissionDenied
        form = ImportForm(request.POST or None, request.FILES or None, command=self.imports.command)
        context: dict[str, Any] = {}
        if request.method == "POST" and form.is_valid():
            given, do = form.cleaned_data, request.POST.get("do", "check")
            content = given["content"]
            if given["file"]:
                do = "check"  # nobody has seen yet what it would do
            else:
                content = with_rows(text=given["text"], rows=_mended(request)).encode()
            with transaction.atomic():
                report = self._imported(
                    content, name=given["name"], dry_run=do == "check", strict=do == "import"
                )
                kept = do != "check" and not report.get("error")
                self.note_import(request, kept=kept)
            if kept:
                told = ", ".join(f"{words} {number}" for words, number in self._counts(report))
                self.message_user(request, f"{report['file']}: {told}", messages.SUCCESS)
                changelist = f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"
                return HttpResponseRedirect(reverse(changelist))
            context = _checked(content, report) | {"counts": self._counts(report)}
        page = {
            **self.admin_site.each_context(request),
            "title": self.imports.title,
            "opts": self.opts,
            "form": form,
            "imports": self.imports,
            **context,
        }
        return render(request, "admin_site/import.html", page)

    def _imported(self, content: bytes, *, name: str, dry_run: bool, strict: bool) -> dict[str, Any]:
        """Return the report of an import; `error` says why nothing was or would be kept."""
        # A folder of its own: beside the file, no covers and no recordings are found.
        with TemporaryDirectory() as folder:
            file = Path(folder) / name
            file.write_bytes(content)
            try:
                report = self.imports.work(path=file, dry_run=dry_run, strict=strict, now=timezone.now())
                return report.as_dict()
            except ImportRefusedError as refused:
                return refused.extra | {"error": refused.message}
            except UnusableFileError as unusable:
                place = unusable.extra["row"], unusable.extra["column"]
                problem = {"row": place[0] or 1, "column": place[1], "message": unusable.message}
                return {"file": name, "problems": [problem], "warnings": [], "error": unusable.message}
            except LibraryError as error:
                return {"file": name, "problems": [], "warnings": [], "error": error.message}

    def _counts(self, report: dict[str, Any]) -> list[tuple[str, str]]:
        counts = report | report.get("made", {})
        return [
            (str(words), number_format(counts[name], force_grouping=True))
            for name, words in self.imports.counts.items()
            if counts.get(name)
        ]


def _mended(request: HttpRequest) -> dict[int, str]:
    """Return the rows that were mended on the page, by line."""
    fields = ((name.removeprefix("line-"), name) for name in request.POST if name.startswith("line-"))
    return {
        int(line): request.POST[name]
        for line, name in fields
        if line.isascii() and line.isdecimal() and len(line) < 9
    }


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
        "text": text,
        "rows": [(line, rows.get(line), by_line[line]) for line in shown],
        "faulty": len(by_line),
        "more": len(by_line) - len(shown),
    }
