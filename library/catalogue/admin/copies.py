"""Admin pages of copies, branches and item types."""

from django.contrib import admin
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin
from unfold.decorators import display

from library.catalogue.admin.lookup import LookupAdmin
from library.catalogue.models import Branch, Copy, ItemType
from library.catalogue.selectors.lookup import copies_by_barcode_or_call_number, search_titles


@admin.register(Branch, ItemType)
class NamedAdmin(ModelAdmin):
    list_display = ["code", "name"]
    list_per_page = 50
    show_full_result_count = False
    search_fields = ["code", "name"]


@admin.register(Copy)
class CopyAdmin(LookupAdmin):
    list_display = ["barcode", "book", "branch", "item_type", "call_number", "state"]
    list_select_related = ["book", "branch", "item_type"]
    list_filter = ["status", "branch", "item_type"]
    list_per_page = 50
    show_full_result_count = False
    lookups = {"pk": copies_by_barcode_or_call_number, "book": search_titles}
    search_help_text = _("Title, ISBN, or the start of a barcode or call number")
    autocomplete_fields = ["book", "branch", "item_type"]
    # Circulation writes these.
    readonly_fields = ["status", "last_seen_at", "checkouts", "renewals"]
    fieldsets = [
        (
            None,
            {
                "fields": [
                    ("barcode", "book"),
                    ("branch", "item_type"),
                    ("shelf_location", "call_number"),
                    ("status", "last_seen_at"),
                    ("checkouts", "renewals"),
                ]
            },
        )
    ]

    @display(
        description=_("status"),
        ordering="status",
        label={
            "available": "success", "on_loan": "info", "on_hold_shelf": "info", "in_transit": "info",
            "lost": "danger", "withdrawn": None,
        },
    )  # fmt: skip
    def state(self, copy: Copy) -> tuple[str, str]:
        return copy.status, copy.get_status_display()
