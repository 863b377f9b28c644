"""Import page of the admin: check a file, fix faulty rows, then import."""

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
from library.tabular import ImportRefusedError, ImportReport, UnusableFileError, replace_rows, rows_at

if TYPE_CHECKING:
    from django_stubs_ext import StrOrPromise

#: Some thousands of rows, which a web request can check in time. The page carries the text from the check to
#: the import, so the limit is well below the longest form (DATA_UPLOAD_MAX_MEMORY_SIZE).
MAX_BYTES = 2_000_000
MAX_LINES = 10_000
#: Faulty rows shown at a time: rows often share a fault.
MAX_FAULTY_ROWS = 50


@dataclass(frozen=True, kw_only=True)
class ImportSpec:
    """Configuration of an import page.

    Attributes
    ----------
    description
        Meaning of the columns and effect of the rows, for users.
    permissions
        Permissions to create and change everything that a file may contain.
    count_labels
        Labels of the counts of an `ImportReport` and of the records it has also created.
    command
        The ``manage.py`` command for files that are too long for the page.
    importer
        Called with `path`, `dry_run`, `strict` and `now`.
    """

    title: "StrOrPromise"
    description: "StrOrPromise"
    columns: tuple[str, ...]
    permissions: tuple[str, ...]
    count_labels: "dict[str, StrOrPromise]"
    command: str
    importer: Callable[..., ImportReport]


class ImportForm(forms.Form):
    file = forms.FileField(
        label=gettext_lazy("CSV file"),
        required=False,
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,text/csv"}),
    )
    #: Name and text of the file that was checked before.
    name = forms.CharField(required=False)
    text = forms.CharField(required=False, strip=False)

    def __init__(self, *arguments: Any, command: str) -> None:
        super().__init__(*arguments)
        self.command = command

    def clean(self) -> dict[str, Any]:
        """Add the bytes of the uploaded file, or of the text checked before, as `content`."""
        data = super().clean() or {}
        if upload := data.get("file"):
            # Checked before reading: a large upload is still on disk.
            if upload.size > MAX_BYTES:
                raise forms.ValidationError(self._too_long())
            data["name"], data["content"] = upload.name, upload.read()
        elif "file" in data and data.get("text"):
            data["content"] = data["text"].encode()
        else:
            raise forms.ValidationError(_("Choose a file that is not empty."))
        if data["content"].startswith(b"\x1f\x8b"):
            raise forms.ValidationError(_("This file is compressed. Decompress it first."))
        if len(data["content"]) > MAX_BYTES or data["content"].count(b"\n") > MAX_LINES:
            raise forms.ValidationError(self._too_long())
        # The end of the name, without folders and within the limit of file systems.
        data["name"] = Path(data["name"]).name[-60:].strip(".") or f"{self.command}.csv"
        return data

    def _too_long(self) -> str:
        limits = {
            "megabytes": number_format(MAX_BYTES / 1_000_000, decimal_pos=0),
            "lines": number_format(MAX_LINES, force_grouping=True),
            "command": self.command,
        }
        text = _(
            "This page accepts files up to %(megabytes)s MB and %(lines)s lines. "
            "For larger files, use manage.py %(command)s."
        )
        return text % limits


class ImportAdmin(ModelAdmin):
    """Base of admin classes with an import page, which is linked above the list."""

    imports: ImportSpec
    list_before_template = "admin_site/import_link.html"

    def get_urls(self) -> list[Any]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_import"
        view = self.admin_site.admin_view(self.import_view)
        return [path("import/", view, name=name), *super().get_urls()]

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        title = self.imports.title if self.has_import_permission(request) else ""
        return super().changelist_view(request, {"import_title": title} | (extra_context or {}))

    def has_import_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perms(self.imports.permissions)

    def record_import(self, request: HttpRequest, *, imported: bool) -> None:
        """Record that a file was checked or imported, within its transaction; subclasses override this."""

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """Show the form; a POST checks the file and shows the result, or imports it."""
        if not self.has_import_permission(request):
            raise PermissionDenied
        form = ImportForm(request.POST or None, request.FILES or None, command=self.imports.command)
        context: dict[str, Any] = {}
        if request.method == "POST" and form.is_valid():
            data, action = form.cleaned_data, request.POST.get("do", "check")
            content = data["content"]
            if data["file"]:
                action = "check"  # the user has not seen the effect of this file yet
            else:
                content = replace_rows(text=data["text"], rows=_corrected_rows(request)).encode()
            with transaction.atomic():
                report = self._run_import(
                    content, name=data["name"], dry_run=action == "check", strict=action == "import"
                )
                imported = action != "check" and not report.get("error")
                self.record_import(request, imported=imported)
            if imported:
                summary = ", ".join(f"{label} {number}" for label, number in self._counts(report))
                self.message_user(request, f"{report['file']}: {summary}", messages.SUCCESS)
                changelist = f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"
                return HttpResponseRedirect(reverse(changelist))
            context = _check_result(content, report) | {"counts": self._counts(report)}
        page = {
            **self.admin_site.each_context(request),
            "title": self.imports.title,
            "opts": self.opts,
            "form": form,
            "imports": self.imports,
            **context,
        }
        return render(request, "admin_site/import.html", page)

    def _run_import(self, content: bytes, *, name: str, dry_run: bool, strict: bool) -> dict[str, Any]:
        """Return the report of an import; its `error` is the reason why nothing is imported."""
        # A folder without other files, so that the importer finds no covers and recordings.
        with TemporaryDirectory() as folder:
            file = Path(folder) / name
            file.write_bytes(content)
            try:
                report = self.imports.importer(path=file, dry_run=dry_run, strict=strict, now=timezone.now())
                return report.as_dict()
            except ImportRefusedError as error:
                return error.extra | {"error": error.message}
            except UnusableFileError as error:
                problem = {
                    "row": error.extra["row"] or 1,
                    "column": error.extra["column"],
                    "message": error.message,
                }
                return {"file": name, "problems": [problem], "warnings": [], "error": error.message}
            except LibraryError as error:
                return {"file": name, "problems": [], "warnings": [], "error": error.message}

    def _counts(self, report: dict[str, Any]) -> list[tuple[str, str]]:
        counts = report | report.get("also_created", {})
        return [
            (str(label), number_format(counts[name], force_grouping=True))
            for name, label in self.imports.count_labels.items()
            if counts.get(name)
        ]


def _corrected_rows(request: HttpRequest) -> dict[int, str]:
    fields = ((name.removeprefix("line-"), name) for name in request.POST if name.startswith("line-"))
    return {
        int(line): request.POST[name]
        for line, name in fields
        if line.isascii() and line.isdecimal() and len(line) < 9
    }


def _check_result(content: bytes, report: dict[str, Any]) -> dict[str, Any]:
    by_line: dict[int, list[dict[str, Any]]] = defaultdict(list)
    for problem in report["problems"]:
        by_line[problem["row"]].append(problem)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        # The page cannot show it, so the user has to correct the file itself.
        text = ""
    lines = sorted(by_line)[:MAX_FAULTY_ROWS]
    rows = rows_at(text=text, lines=lines)
    return {
        "report": report,
        "text": text,
        "rows": [(line, rows.get(line), by_line[line]) for line in lines],
        "faulty": len(by_line),
        "more": len(by_line) - len(lines),
    }
