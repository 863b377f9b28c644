"""Circulation records in the personal data export."""

from typing import Any

from django.db.models import Q

from library.circulation.models import FineEntry, Hold, Loan, LoanEvent, Notice
from library.people.models import Borrower
from library.people.selectors import add_to_export, json_rows


def add_circulation() -> None:
    """Register loans, holds, fines, notices and events with the personal data export."""
    add_to_export(name="loans", model=Loan, rows=_loans)
    add_to_export(name="holds", model=Hold, rows=_holds)
    add_to_export(name="fines", model=FineEntry, rows=_fines)
    add_to_export(name="notices", model=Notice, rows=_notices)
    add_to_export(name="events", model=LoanEvent, rows=_events)


def _loans(borrower: Borrower) -> list[dict[str, Any]]:
    return json_rows(
        Loan.objects.filter(borrower=borrower).order_by("borrowed_at", "pk"),
        id="pk",
        title="copy__book__title",
        barcode="copy__barcode",
        branch="branch__name",
        borrowed_at="borrowed_at",
        due_at="due_at",
        returned_at="returned_at",
        lost_at="lost_at",
        renewals="renewals",
        renewals_allowed="renewals_allowed",
        renewal_days="renewal_days",
        fine_per_day="fine_per_day",
        grace_days="grace_days",
        fine_cap="fine_cap",
    )


def _holds(borrower: Borrower) -> list[dict[str, Any]]:
    return json_rows(
        Hold.objects.filter(borrower=borrower).order_by("placed_at", "pk"),
        id="pk",
        title="book__title",
        status="status",
        position="position",
        placed_at="placed_at",
        ready_at="ready_at",
        suspended_until="suspended_until",
        pickup_branch="pickup_branch__name",
        barcode="copy__barcode",
    )


def _fines(borrower: Borrower) -> list[dict[str, Any]]:
    of_borrower = Q(borrower=borrower) | Q(loan__borrower=borrower)
    return json_rows(
        FineEntry.objects.filter(of_borrower).order_by("created_at", "pk"),
        created_at="created_at",
        kind="kind",
        amount="amount",
        reason="reason",
        loan="loan_id",
        title="loan__copy__book__title",
    )


def _notices(borrower: Borrower) -> list[dict[str, Any]]:
    of_borrower = Q(loan__borrower=borrower) | Q(hold__borrower=borrower)
    return json_rows(
        Notice.objects.filter(of_borrower).order_by("claimed_at", "pk"),
        kind="kind",
        loan="loan_id",
        hold="hold_id",
        occasion="occasion",
        status="state",
        message_id="message_id",
        claimed_at="claimed_at",
        sent_at="sent_at",
        attempts="attempts",
        problem="problem",
    )


def _events(borrower: Borrower) -> list[dict[str, Any]]:
    of_borrower = Q(borrower=borrower) | Q(loan__borrower=borrower)
    return json_rows(
        LoanEvent.objects.filter(of_borrower).order_by("occurred_at", "pk"),
        occurred_at="occurred_at",
        kind="kind",
        title="book__title",
        barcode="copy__barcode",
        branch="branch__name",
        borrower_category="borrower_category__name",
        item_type="item_type__name",
        loan="loan_id",
        amount="amount",
    )
