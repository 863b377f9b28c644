"""A borrower's account in the REST API: for those who may see who borrows what."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from library.circulation.api.holds import HoldSerializer
from library.circulation.api.loans import LoanSerializer, ReasonSerializer
from library.circulation.selectors.accounts import account_of
from library.circulation.services.eligibility import reasons_against
from library.people.api.audit import Action, AuditedViewSet
from library.people.models import PERSONAL_FIELDS, Borrower


class MaySeeAccounts(BasePermission):
    """An account tells of the borrower and of loans."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        return request.user.has_perms(["people.view_borrower", "circulation.view_loan"])


class DebtSerializer(serializers.Serializer):
    loan = serializers.IntegerField()
    title = serializers.CharField()
    owed = serializers.DecimalField(max_digits=8, decimal_places=2)


class AccountSerializer(serializers.Serializer):
    borrower = serializers.IntegerField()
    card_number = serializers.CharField()
    loans = LoanSerializer(many=True, help_text="What is out, the first due first.")
    holds = HoldSerializer(many=True, help_text="The places in queues, the oldest first.")
    owed = serializers.DecimalField(max_digits=8, decimal_places=2, help_text="For all loans together.")
    fines = DebtSerializer(many=True, help_text="What is still owed for which loan.")
    blocks = ReasonSerializer(many=True, help_text="Why nothing may be borrowed now; empty if it may.")


class AccountViewSet(AuditedViewSet):
    queryset = Borrower.objects.defer(*PERSONAL_FIELDS)
    serializer_class = AccountSerializer
    permission_classes = [MaySeeAccounts]
    filter_backends: list[type] = []

    @extend_schema(responses=AccountSerializer)
    def account(self, request: Request, pk: int) -> Response:
        """What a borrower has, waits for and owes at the moment, and what stands in the way of more."""
        borrower = self.get_object()
        account = account_of(borrower=borrower)
        self.audit(Action.VIEWED, object_key=borrower.pk)
        told = {
            "borrower": borrower.pk,
            "card_number": borrower.card_number,
            "loans": account.loans,
            "holds": account.holds,
            "owed": account.owed,
            "fines": [
                {"loan": loan.pk, "title": loan.copy.book.title, "owed": owed} for loan, owed in account.debts
            ],
            "blocks": reasons_against(borrower=borrower),
        }
        return Response(AccountSerializer(told, context=self.get_serializer_context()).data)
