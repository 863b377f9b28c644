"""Borrowers in the REST API: for those who may see them."""

from rest_framework.routers import SimpleRouter

from library.people.audit_api import AuditedViewSet
from library.people.models import Borrower
from library.rest.permissions import PersonalDataPermissions
from library.rest.serializers import RecordSerializer
from library.rest.views import RecordViewSet


class BorrowerSerializer(RecordSerializer):
    class Meta:
        model = Borrower
        fields = ["id", "card_number", "name"]


class BorrowerViewSet(AuditedViewSet, RecordViewSet):
    queryset = Borrower.objects.all()
    serializer_class = BorrowerSerializer
    permission_classes = [PersonalDataPermissions]
    filterset_fields = ["card_number"]
    search_fields = ["card_number", "name"]
    ordering_fields = ["card_number", "name"]


router = SimpleRouter()
router.register("borrowers", BorrowerViewSet)

urlpatterns = router.urls
