"""Admin pages of books, with their copies."""

from pathlib import Path
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.views.main import ORDER_VAR
from django.core.files.uploadedfile import SimpleUploadedFile, UploadedFile
from django.db.models import ImageField, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.timezone import localtime
from django.utils.translation import gettext_lazy as _
from unfold.admin import TabularInline
from unfold.contrib.filters.admin import AutocompleteSelectFilter, RangeNumericFilter
from unfold.decorators import display

from library.admin_site.import_page import ImportAdmin
from library.catalogue.admin.importing import BOOKS
from library.catalogue.media import covers
from library.catalogue.media.audio import HEAD_BYTES, MAX_BYTES, recording_suffix
from library.catalogue.media.storage import FileRefusedError, digest_name
from library.catalogue.models import Book, Copy
from library.catalogue.search import in_order, matching, ranked
from library.catalogue.services import CategoryRetiredError, librarian_source, save_book


class CopyInline(TabularInline):
    model = Copy
    fields = ["barcode", "branch", "item_type", "shelf_location", "call_number", "status"]
    # Circulation writes it.
    readonly_fields = ["status"]
    extra = 0
    hide_title = True

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = super().formfield_for_foreignkey(db_field, request, **kwargs)
        if db_field.name in ("branch", "item_type"):
            # Read once, not once a row; iter, because list would count the choices first.
            field.choices = list(iter(field.choices))
        return field


class CoverField(forms.FileField):
    """An uploaded cover, converted as an import would convert it before any other code reads it.

    Django's ImageField is not used: it tries every format of Pillow and stores the file unchanged.
    """

    def to_python(self, data: Any) -> SimpleUploadedFile | None:
        upload = super().to_python(data)
        if upload is None:
            return None
        try:
            # Before reading: uploads of more than a few megabytes are on disk.
            if (upload.size or 0) > covers.MAX_BYTES:
                raise FileRefusedError(str(_("The cover is larger than 50 MB. Save it as a smaller file.")))
            content = upload.read()
            jpeg = covers.small_jpeg(content=content)
        except FileRefusedError as error:
            raise forms.ValidationError(error.message) from error
        name = Path(digest_name(content=content, kind="covers", suffix=".jpg")).name
        return SimpleUploadedFile(name, jpeg, "image/jpeg")


class BookForm(forms.ModelForm):
    def clean_audio(self) -> Any:
        """Check a new recording, and name it as an import would.

        The original name may have a wrong suffix or contain the name of a person.
        """
        audio = self.cleaned_data["audio"]
        if isinstance(audio, UploadedFile):
            if (audio.size or 0) > MAX_BYTES:
                raise forms.ValidationError(_("The recording is larger than 50 MB. Upload a smaller file."))
            audio.seek(0)
            content = audio.read()
            suffix = recording_suffix(head=content[:HEAD_BYTES])
            if suffix is None:
                raise forms.ValidationError(
                    _("The recording is not a WAV, FLAC or OGG file. Upload one of these formats.")
                )
            audio.name = Path(digest_name(content=content, kind="audio", suffix=suffix)).name
            audio.seek(0)
        return audio


@admin.register(Book)
class BookAdmin(ImportAdmin):
    list_display = ["small_cover", "title", "authors", "year", "language", "category", "source"]
    list_display_links = ["title"]
    list_select_related = ["category"]
    list_filter = [
        "category_source",
        ("category", AutocompleteSelectFilter),
        "language",
        ("year", RangeNumericFilter),
    ]
    list_filter_submit = True
    list_per_page = 50
    # Counting the whole table would cost more than the search.
    show_full_result_count = False
    # Any field makes the search box appear; the search uses the index.
    search_fields = ["title"]
    search_help_text = _("Title, authors, ISBN, control number or words from the description")
    autocomplete_fields = ["category"]
    readonly_fields = ["category_source", "created"]
    fieldsets = [
        (None, {"fields": ["title", "subtitle", "authors", ("category", "category_source")]}),
        (
            _("Edition"),
            {
                "classes": ["tab"],
                "fields": [("publisher", "year"), ("language", "isbn"), ("control_number", "created")],
            },
        ),
        (_("Content"), {"classes": ["tab"], "fields": ["description", "cover", "audio"]}),
    ]
    form = BookForm
    formfield_overrides = {ImageField: {"form_class": CoverField}}
    inlines = [CopyInline]
    imports = BOOKS

    @display(description=_("created at"))
    def created(self, book: Book) -> str | None:
        if not book.pk:
            return None  # set by the database
        return date_format(localtime(book.created_at), "DATETIME_FORMAT")

    def save_model(self, request: HttpRequest, obj: Book, form: forms.ModelForm, change: bool) -> None:
        if "category" in form.changed_data:
            obj.category_source = librarian_source(category=obj.category)
        save_book(book=obj)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Book], search_term: str
    ) -> tuple[QuerySet[Book], bool]:
        if not search_term.strip():
            return queryset, False
        if ORDER_VAR in request.GET:
            return matching(books=queryset, text=search_term), False
        return in_order(books=queryset, keys=ranked(books=queryset, text=search_term)), False

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        try:
            return super().changeform_view(request, object_id, form_url, extra_context)
        except CategoryRetiredError as error:
            # The category was retired after the form was shown; the transaction is rolled back.
            self.message_user(request, error.message, messages.ERROR)
            return HttpResponseRedirect(request.path)

    @display(description=_("cover"))
    def small_cover(self, book: Book) -> SafeString | str:
        if not book.cover:
            return "-"
        return format_html('<img src="{}" alt="" class="cover" loading="lazy">', book.cover.url)

    @display(
        description=_("source"),
        ordering="category_source",
        # Every value is listed: for others, the theme would show the raw value.
        label={"librarian": "success", "imported": "info", "model": "warning", "none": None},
    )
    def source(self, book: Book) -> tuple[str, str]:
        return book.category_source, book.get_category_source_display()
