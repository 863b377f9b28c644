"""The borrowers' desk."""

from django.contrib import admin

from library.people.audit_admin import AuditedAdmin
from library.people.models import Borrower


@admin.register(Borrower)
class BorrowerAdmin(AuditedAdmin):
    list_display = ["card_number", "name"]
    list_per_page = 50
    show_full_result_count = False
    search_fields = ["card_number", "name"]
