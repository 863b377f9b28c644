"""Borrower accounts in the REST API, for users who may see borrowers' loans."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from library.circulation.api.holds import HoldSerializer
from library.circulation.api.loans import LoanSerializer, ReasonSerializer
from library.circulation.selectors.accounts import account_of
from library.circulation.services.eligibility import blocks
from library.people.api.audit import Action, AuditedViewSet
from library.people.models import PERSONAL_FIELDS, Borrower


class MaySeeAccounts(BasePermission):
    """Require permission to view both borrowers and loans."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.user.has_perms(["people.view_borrower", "circulation.view_loan"])


class DebtSerializer(serializers.Serializer):
    loan = serializers.IntegerField()
    title = serializers.CharField()
    owed = serializers.DecimalField(max_digits=8, decimal_places=2)


class AccountSerializer(serializers.Serializer):
    borrower = serializers.IntegerField()
    card_number = serializers.CharField()
    loans = LoanSerializer(many=True, help_text="Open loans, earliest due date first.")
    holds = HoldSerializer(many=True, help_text="Active holds, oldest first.")
    owed = serializers.DecimalField(max_digits=8, decimal_places=2, help_text="Total balance of all loans.")
    fines = DebtSerializer(many=True, help_text="Loans with a balance due.")
    blocks = ReasonSerializer(
        many=True, help_text="Reasons why the borrower may not borrow now; empty if there are none."
    )


class AccountViewSet(AuditedViewSet):
    queryset = Borrower.objects.defer(*PERSONAL_FIELDS)
    serializer_class = AccountSerializer
    permission_classes = [MaySeeAccounts]
    filter_backends: list[type] = []

    @extend_schema(responses=AccountSerializer)
    def account(self, request: Request, pk: int) -> Response:
        """Return a borrower's open loans, active holds, balances and blocks."""
        borrower = self.get_object()
        account = account_of(borrower=borrower)
        self.audit(Action.VIEWED, object_key=borrower.pk)
        data = {
            "borrower": borrower.pk,
            "card_number": borrower.card_number,
            "loans": account.loans,
            "holds": account.holds,
            "owed": account.owed,
            "fines": [
                {"loan": loan.pk, "title": loan.copy.book.title, "owed": owed} for loan, owed in account.debts
            ],
            "blocks": blocks(borrower=borrower),
        }
        return Response(AccountSerializer(data, context=self.get_serializer_context()).data)
