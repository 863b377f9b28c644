"""Permissions of the endpoints that act on rows."""

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView


def requires(*permissions: str) -> type[BasePermission]:
    """Return a permission class that requires all of the given permissions of Django."""

    class RequiresPermissions(BasePermission):
        def has_permission(self, request: Request, view: APIView) -> bool:
            return request.user.has_perms(permissions)

    return RequiresPermissions


#: Filing a book changes it, so the book's permission counts.
CanFileBooks = requires("catalogue.change_book")
#: A review files a book.
CanReview = requires("classifier.add_review", "catalogue.change_book")
CanDismissMisfiled = requires("classifier.change_misfiled")
CanUndoBatch = requires("classifier.change_batch")
CanCancelRun = requires("classifier.change_run")
CanChangeVersion = requires("classifier.change_modelversion")
CanChangeCategories = requires("catalogue.change_category")
#: Recommendations reveal what a borrower has read.
CanRecommend = requires("people.view_borrower", "classifier.view_recommendation")
#: The statistics name nobody, so the permission for the reviews themselves is not needed.
CanViewReviewStatistics = requires("classifier.view_suggestion")
