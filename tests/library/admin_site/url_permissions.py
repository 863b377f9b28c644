"""Expected access to every URL of the site: for a model's pages from the matrix of roles, else given here."""

from django.contrib import admin

from library.admin_site.roles import CLIENTS, ROLES, permissions_of
from library.analytics.figures.registry import PAGES

PUBLIC, SIGNED_IN, STAFF = "public", "signed in", "staff"
NOBODY = "a permission that no role has"
ANONYMOUS, NO_ROLE = "anonymous", "no role"

#: By method: the required access and the resulting status. Access is one of the three levels above, or
#: permissions that are all required ("a|b": either of them).
Expected = dict[str, tuple[str | tuple[str, ...], int]]

_PAGES = {"changelist": "view|change", "add": "add", "delete": "delete", "history": "view|change"}

#: By basename: the model, whether reading requires its permission, and whether the API can write it.
_API: dict[str, tuple[str, bool, bool]] = {
    "category": ("catalogue.category", False, True),
    "book": ("catalogue.book", False, True),
    "copy": ("catalogue.copy", False, True),
    "borrower": ("people.borrower", True, True),
    "loan": ("circulation.loan", True, True),
    "hold": ("circulation.hold", True, False),
    "suggestion": ("classifier.suggestion", False, False),
    "recommendation": ("classifier.recommendation", True, False),
    "modelversion": ("classifier.modelversion", True, False),
    "alert": ("classifier.alert", True, False),
    "branch": ("catalogue.branch", False, True),
    "itemtype": ("catalogue.itemtype", False, True),
    "borrowercategory": ("people.borrowercategory", True, True),
    "loanpolicy": ("circulation.loanpolicy", True, True),
    "closedday": ("circulation.closedday", True, True),
    "fineentry": ("circulation.fineentry", True, False),
    "notice": ("circulation.notice", True, False),
    "batch": ("classifier.batch", True, False),
    "change": ("classifier.change", True, False),
    "misfiled": ("classifier.misfiled", True, False),
    "taxonomychange": ("catalogue.taxonomychange", True, False),
}

_SHOWN_ONLY = {"circulation.hold", "circulation.notice"}
#: Models whose change permission has another meaning, such as cancelling a run or promoting a version.
_NEVER_SAVED = {
    "rest.apitoken",
    "classifier.run", "classifier.modelversion", "classifier.batch", "classifier.misfiled",
}  # fmt: skip
_DESK = ("circulation.add_loan", "people.view_borrower")
_MAY_CHANGE = {"get": (("catalogue.change_category",), 200), "post": (("catalogue.change_category",), 200)}
#: An import also creates records of other models.
_IMPORTS = {
    "catalogue_book": (
        "catalogue.add_book", "catalogue.change_book", "catalogue.add_category", "catalogue.add_copy",
    ),
    "catalogue_category": ("catalogue.add_category", "catalogue.change_category"),
    "circulation_loan": (
        "circulation.add_loan", "circulation.change_loan", "people.view_borrower", "people.add_borrower",
        "catalogue.add_copy",
    ),
}  # fmt: skip
_DECIDES = ("classifier.view_modelversion", "classifier.change_modelversion")

_NAMED: dict[str, Expected] = {
    "home": {"get": (PUBLIC, 200)},
    "health-live": {"get": (PUBLIC, 200)},
    "health-ready": {"get": (PUBLIC, 200)},
    # Restricted by network.
    "metrics": {"get": (PUBLIC, 200)},
    "api-status": {"get": (SIGNED_IN, 200)},
    "cover": {"get": (PUBLIC, 200)},
    "recording": {"get": (PUBLIC, 200)},
    "set_language": {"post": (PUBLIC, 302)},
    "api-token": {"post": (PUBLIC, 400), "get": (PUBLIC, 405)},
    "api-tokens": {"get": (SIGNED_IN, 200)},
    "api-token-revoke": {"delete": (SIGNED_IN, 404)},
    "api-schema": {"get": (PUBLIC, 200)},
    "api-docs": {"get": (PUBLIC, 200)},
    "book-similar": {"get": (SIGNED_IN, 200)},
    "borrower-recommendations": {"get": (("people.view_borrower", "classifier.view_recommendation"), 200)},
    "book-availability": {"get": (SIGNED_IN, 200)},
    # As public as the cover files; the sample book has no cover.
    "book-cover": {"get": (PUBLIC, 404)},
    **{f"category-{name}": {"get": (SIGNED_IN, 200)} for name in ("tree", "children", "ancestors")},
    "book-suggestions": {"get": (SIGNED_IN, 200)},
    "classify": {"post": (SIGNED_IN, 400)},
    "classify-batch": {"post": (SIGNED_IN, 400)},
    **{name: {"get": (SIGNED_IN, 200)} for name in ("popular", "trending", "latest", "hidden-gems")},
    **{
        f"admin:analytics_statistics_{page}": {"get": (("analytics.view_statistics",), 200)}
        for page in PAGES
        if page != "overview"
    },
    **{
        f"stats-{name}": {"get": (("analytics.view_statistics",), 200)}
        for name in ("loans", "most-borrowed", "categories")
    },
    **{
        f"admin:{label}_import": {"get": (needed, 200), "post": (needed, 200)}
        for label, needed in _IMPORTS.items()
    },
    "admin:catalogue_book_lists": {"get": (("catalogue.view_book",), 200)},
    "suggestion-accept": {"post": (("catalogue.change_book",), 200)},
    "suggestion-review": {"post": (("classifier.add_review", "catalogue.change_book"), 400)},
    "loan-checkin-copy": {"post": (("circulation.add_loan",), 400)},
    "loan-allows-renewal": {"get": (("circulation.view_loan",), 200)},
    "borrower-account": {"get": (("people.view_borrower", "circulation.view_loan"), 200)},
    "loan-checkin": {"post": (("circulation.add_loan",), 200)},
    # The previous request has checked it in.
    "loan-renew": {"post": (("circulation.add_loan",), 409)},
    "hold-cancel": {"post": (("circulation.add_hold",), 200)},
    "hold-suspend": {"post": (("circulation.add_hold",), 409)},
    "hold-resume": {"post": (("circulation.add_hold",), 409)},
    "hold-reorder": {"post": (("circulation.add_hold",), 400)},
    "fineentry-pay": {"post": (("circulation.add_fineentry",), 400)},
    "fineentry-waive": {"post": (("circulation.add_fineentry",), 400)},
    "borrower-export": {"get": (("people.export_borrower",), 200)},
    "admin:people_borrower_export": {"get": (("people.export_borrower",), 200)},
    "admin:circulation_loan_checkout": {"get": (_DESK, 200), "post": (_DESK, 302)},
    "admin:circulation_loan_checkout_borrower": {"get": (_DESK, 200), "post": (_DESK, 302)},
    "admin:circulation_loan_checkin": {"get": (_DESK, 200), "post": (_DESK, 302)},
    "admin:circulation_overdueloan_export": {"get": (("circulation.view_overdueloan",), 200)},
    "admin:circulation_notice_letters": {"get": (("circulation.view_notice", "people.view_borrower"), 200)},
    # Only services create these records.
    "admin:circulation_overdueloan_add": {"get": ((NOBODY,), 200)},
    "admin:circulation_overdueloan_delete": {"get": ((NOBODY,), 200)},
    "admin:circulation_notice_add": {"get": ((NOBODY,), 200)},
    "admin:circulation_loanpolicy_test": {
        "get": (("circulation.view_loanpolicy", "people.view_borrower"), 200)
    },
    # Only payments and waivers create entries.
    "admin:circulation_fineentry_add": {"get": ((NOBODY,), 200)},
    "admin:circulation_fineentry_payment": {
        "get": (("circulation.view_fineentry", "circulation.add_fineentry"), 200)
    },
    "admin:index": {"get": (STAFF, 200)},
    "admin:login": {"post": (PUBLIC, 200)},
    "admin:logout": {"get": (STAFF, 405)},
    "admin:password_change": {"get": (STAFF, 200)},
    "admin:password_change_done": {"get": (STAFF, 200)},
    "admin:jsi18n": {"get": (STAFF, 200)},
    "admin:search": {"get": (STAFF, 200)},
    "admin:view_on_site": {"get": (STAFF, 404)},
    "admin:app_list": {"get": (STAFF, 200)},
    "admin:autocomplete": {"get": (("people.view_borrower",), 200)},
    "admin:auth_user_password_change": {"get": (("auth.change_user",), 200)},
    "admin:classifier_recommendation_for": {
        "get": (("people.view_borrower", "classifier.view_recommendation"), 200)
    },
    "admin:classifier_feedback_add": {"get": ((NOBODY,), 200)},
    "feedback-list": {
        "get": (("classifier.view_feedback",), 200),
        "options": (("classifier.view_feedback",), 200),
        "post": (("classifier.add_feedback",), 400),
    },
    # Last, because it deletes the sample.
    "feedback-detail": {
        "get": (("classifier.view_feedback",), 200),
        "options": (("classifier.view_feedback",), 200),
        "put": (("classifier.change_feedback",), 405),
        "delete": (("classifier.delete_feedback",), 204),
    },
    # Only the review page creates reviews.
    "admin:classifier_review_add": {"get": ((NOBODY,), 200)},
    "admin:classifier_review_next": {
        "get": (("classifier.add_review", "catalogue.change_book"), 200),
        "post": (("classifier.add_review", "catalogue.change_book"), 302),
    },
    "admin:classifier_review_bulk": {
        "get": (("classifier.add_review", "catalogue.change_book"), 200),
        "post": (("classifier.add_review", "catalogue.change_book"), 302),
    },
    "admin:classifier_review_categories": {"get": (("classifier.add_review", "catalogue.change_book"), 200)},
    "review-list": {
        "get": (("classifier.view_review",), 200),
        "options": (("classifier.view_review",), 200),
        "post": (("classifier.add_review", "catalogue.change_book"), 400),
    },
    "review-next-books": {"get": (("classifier.add_review", "catalogue.change_book"), 200)},
    # Undoes the suggestion accepted above.
    "review-undo": {"post": (("classifier.add_review", "catalogue.change_book"), 200)},
    "review-statistics": {"get": (("classifier.view_suggestion",), 200)},
    "admin:classifier_run_cancel": {
        "post": (("classifier.view_run", "classifier.change_run"), 302),
        "get": (STAFF, 405),
    },
    "admin:classifier_modelversion_compare": {"get": (("classifier.view_modelversion",), 200)},
    "admin:classifier_modelversion_map": {
        "get": (("classifier.view_modelversion", "catalogue.view_book"), 200),
        "post": (("classifier.view_modelversion", "catalogue.view_book", "classifier.add_run"), 302),
    },
    "admin:classifier_run_progress": {"get": (("classifier.view_run",), 200)},
    "admin:classifier_modelversion_promote": {"post": (_DECIDES, 302), "get": (STAFF, 405)},
    "admin:classifier_modelversion_pin": {"post": (_DECIDES, 302), "get": (STAFF, 405)},
    "admin:classifier_modelversion_rollback": {"post": (_DECIDES, 302), "get": (STAFF, 405)},
    "modelversion-promote": {"post": (("classifier.change_modelversion",), 400)},
    "modelversion-rollback": {"post": (("classifier.change_modelversion",), 400)},
    "modelversion-pin": {"post": (("classifier.change_modelversion",), 400)},
    "admin:classifier_batch_undo": {
        "post": (("classifier.view_batch", "classifier.change_batch"), 302),
        "get": (STAFF, 405),
    },
    "admin:classifier_misfiled_move": {
        "post": (("classifier.view_misfiled", "catalogue.change_book"), 302),
        "get": (STAFF, 405),
    },
    "admin:classifier_misfiled_dismiss": {
        "post": (("classifier.view_misfiled", "classifier.change_misfiled"), 302),
        "get": (STAFF, 405),
    },
    "batch-undo": {"post": (("classifier.change_batch",), 202)},
    "batch-accept": {"post": (("catalogue.change_book",), 200)},
    **{f"admin:catalogue_category_{kind}": _MAY_CHANGE for kind in ("merge", "split", "retire", "move")},
    "admin:catalogue_taxonomychange_undo": {
        "post": (("catalogue.view_taxonomychange", "catalogue.change_category"), 302),
        "get": (STAFF, 405),
    },
    "taxonomychange-preview": {"post": (("catalogue.change_category",), 400)},
    "taxonomychange-apply": {"post": (("catalogue.change_category",), 400)},
    # Already undone and dismissed by the admin pages, which come first.
    "taxonomychange-undo": {"post": (("catalogue.change_category",), 409)},
    "misfiled-dismiss": {"post": (("classifier.change_misfiled",), 409)},
    "misfiled-move": {"post": (("catalogue.change_book",), 409)},
    "run-list": {
        "get": (("classifier.view_run",), 200),
        "options": (("classifier.view_run",), 200),
        "post": (("classifier.add_run",), 400),
    },
    "run-detail": {"get": (("classifier.view_run",), 200), "put": (("classifier.change_run",), 405)},
    "run-cancel": {"post": (("classifier.change_run",), 409)},
    "run-events": {"get": (("classifier.view_run",), 200)},
    "admin:classifier_suggestion_accept": {
        "post": (("classifier.view_suggestion", "catalogue.change_book"), 302),
        "get": (STAFF, 405),
    },
    # Any other path below admin/, so that anonymous users learn nothing about existing URLs.
    "admin/(?P<url>.*)$": {"get": (STAFF, 404)},
}


def expectations() -> dict[str, Expected]:
    """Return the expectations by URL name."""
    expected = dict(_NAMED)
    for model in admin.site._registry:
        options = model._meta
        app, name = options.app_label, options.model_name

        def needs(actions: str, app: str = app, name: str | None = name) -> tuple[str, ...]:
            return ("|".join(f"{app}.{action}_{name}" for action in actions.split("|")),)

        for page, actions in _PAGES.items():
            expected.setdefault(f"admin:{app}_{name}_{page}", {"get": (needs(actions), 200)})
        # If nothing can be changed, an empty form is valid.
        saved = 302 if f"{app}.{name}" in _SHOWN_ONLY else 200
        expected[f"admin:{app}_{name}_change"] = {
            "get": (needs("view|change"), 200),
            "post": ((NOBODY,) if f"{app}.{name}" in _NEVER_SAVED else needs("change"), saved),
        }
        # Old URL of the page without "change".
        expected[f"admin/{app}/{name}/<path:object_id>/"] = {"get": (STAFF, 302)}
    for basename, (label, is_personal, is_written) in _API.items():
        app, name = label.split(".")
        reads: str | tuple[str, ...] = (f"{app}.view_{name}",) if is_personal else SIGNED_IN
        detail: Expected = {"get": (reads, 200), "options": (reads, 200)}
        # 403 without the permission to change, otherwise 405.
        detail["put"] = ((f"{app}.change_{name}",), 405)
        listing: Expected = {"get": (reads, 200), "options": (reads, 200)}
        if is_written:
            listing["post"] = ((f"{app}.add_{name}",), 400)
            detail["patch"] = ((f"{app}.change_{name}",), 200)
            detail["delete"] = ((f"{app}.delete_{name}",), 405)
        expected |= {f"{basename}-list": listing, f"{basename}-detail": detail}
    return expected


def is_allowed(who: str, needed: str | tuple[str, ...]) -> bool:
    """Return whether a role, or a user without one, has the required access."""
    if needed in (PUBLIC, SIGNED_IN, STAFF):
        return {PUBLIC: True, SIGNED_IN: who != ANONYMOUS, STAFF: who in ROLES and who != CLIENTS}[needed]
    if who not in ROLES:
        return False
    held = {
        f"{label.partition('.')[0]}.{code}"
        for label, codes in permissions_of(role=who).items()
        for code in codes
    }
    return all(held & set(either.split("|")) for either in needed)
