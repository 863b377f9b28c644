"""A page of the admin that imports a file: what is wrong is told by line and column, nothing is half kept."""

import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from unfold.admin import ModelAdmin
from unfold.widgets import UnfoldAdminFileFieldWidget

from library.errors import LibraryError
from library.tabular.report import ImportRefusedError, ImportReport, Problem

MOST_BYTES = 5_000_000
"""Some twelve thousand books, which take some seconds; a web server waits half a minute for a page."""
MOST_SHOWN = 200
_GZIP = b"\x1f\x8b"


class FileForm(forms.Form):
    """A CSV file, and what is to become of it where some of it is wrong."""

    file = forms.FileField(
        label=gettext_lazy("CSV file"),
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,text/csv"}),
    )
    keep_rest = forms.BooleanField(
        label=gettext_lazy("Leave out what is wrong and keep the rest"), required=False
    )

    def __init__(self, *given: Any, command: str, **named: Any) -> None:
        super().__init__(*given, **named)
        self.command = command

    def clean_file(self) -> UploadedFile:
        file: UploadedFile = self.cleaned_data["file"]
        if file.read(len(_GZIP)) == _GZIP:
            raise forms.ValidationError(_("The file is compressed. Unpack it first."))
        file.seek(0)
        if (file.size or 0) > MOST_BYTES:
            raise forms.ValidationError(
                _("The file is larger than 5 MB. Cut it into parts, or have it imported on the server: %s.")
                % f"manage.py {self.command}"
            )
        return file


@dataclass(frozen=True)
class Outcome:
    """What came of a file: what it brings, or why nothing was kept, and all that is wrong in it."""

    report: ImportReport | None
    problems: list[Problem]
    refusal: str = ""

    @property
    def shown(self) -> list[Problem]:
        """The first problems."""
        return self.problems[:MOST_SHOWN]


class ImportingAdmin(ModelAdmin):
    """A list with a page that imports into it, for whoever may add and change its rows.

    Attributes
    ----------
    import_command : str
        The command of ``manage.py`` that does the same.
    import_columns : str
        The columns that a file may have.
    """

    list_before_template = "desk/import_link.html"
    import_command: str
    import_columns: str

    def import_file(self, *, file: Path, dry_run: bool, strict: bool, now: datetime) -> ImportReport:
        """Import a file with the service that the command calls too."""
        raise NotImplementedError

    def get_urls(self) -> list[URLPattern]:
        name = f"{self.opts.app_label}_{self.opts.model_name}_import"
        return [path("import/", self.admin_site.admin_view(self.import_view), name=name), *super().get_urls()]

    def may_import(self, request: HttpRequest) -> bool:
        return self.has_add_permission(request) and self.has_change_permission(request)

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        more = {"may_import": self.may_import(request)} | (extra_context or {})
        return super().changelist_view(request, more)

    def import_view(self, request: HttpRequest) -> HttpResponse:
        """Check a file or import it; each asks for the file, which a browser keeps for the next time."""
        if not self.may_import(request):
            raise PermissionDenied
        form = FileForm(request.POST or None, request.FILES or None, command=self.import_command)
        outcome = None
        if form.is_valid():
            only_check = "check" in request.POST
            outcome = self._read(
                form.cleaned_data["file"], only_check=only_check, strict=not form.cleaned_data["keep_rest"]
            )
            if outcome.report and not only_check:
                messages.success(request, _counts(outcome.report))
                if not outcome.problems:
                    options = self.opts
                    return HttpResponseRedirect(
                        reverse(f"admin:{options.app_label}_{options.model_name}_changelist")
                    )
        context = {
            **self.admin_site.each_context(request),
            "title": _("Import %s") % self.opts.verbose_name_plural,
            "opts": self.opts,
            "form": form,
            "columns": self.import_columns,
            "outcome": outcome,
            "would_be": _counts(outcome.report) if outcome and outcome.report else "",
            "media": self.media + form.media,
        }
        return render(request, "desk/import.html", context)

    def _read(self, upload: UploadedFile, *, only_check: bool, strict: bool) -> Outcome:
        with tempfile.TemporaryDirectory(prefix="library-import-") as folder:
            file = Path(folder) / "upload.csv"
            with file.open("wb") as copy:
                copy.writelines(upload.chunks())
            try:
                # A check tells all, whatever is to be done about it.
                report = self.import_file(
                    file=file, dry_run=only_check, strict=strict and not only_check, now=timezone.now()
                )
            except ImportRefusedError as error:
                problems = [Problem(**problem) for problem in error.extra["problems"]]
                return Outcome(None, problems, _("Nothing was imported. Mend the file and choose it again."))
            except LibraryError as error:
                return Outcome(None, [], error.message)
        return Outcome(report, report.problems)


def _counts(report: ImportReport) -> str:
    """Return how many rows were, or would be, new, changed, as they were, and left out."""
    numbers = (
        (report.created, ngettext("%s new", "%s new", report.created)),
        (report.updated, ngettext("%s changed", "%s changed", report.updated)),
        (report.unchanged, ngettext("%s as before", "%s as before", report.unchanged)),
        (report.skipped, ngettext("%s left out", "%s left out", report.skipped)),
    )
    told = ", ".join(words % number for number, words in numbers if number)
    return told or _("The file has no rows.")
