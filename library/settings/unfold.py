"""What the admin looks like, and what stands in its sidebar."""

from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _


def page_link(title: object, icon: str, page: str, permission: str) -> dict[str, object]:
    """Return a link to a page of the admin, shown to those who have a permission."""
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{page}"),
        "permission": lambda request: request.user.has_perm(permission),
    }


#: Pages below a model's list that have a link of their own.
OWN_PAGES = [("loan", "checkout"), ("loan", "checkin"), ("book", "lists"), ("modelversion", "map")]


def sidebar_link(title: object, icon: str, model: str) -> dict[str, object]:
    """Return a link to a model's list, shown to those who may view it."""
    app_label, name = model.split(".")
    link = page_link(title, icon, f"{app_label}_{name}_changelist", f"{app_label}.view_{name}")
    pages = tuple(f"/{model_name}/{page}/" for model_name, page in OWN_PAGES if model_name == name)
    link["active"] = lambda request: (
        f"/{app_label}/{name}/" in request.path and not any(page in request.path for page in pages)
    )
    return link


def statistics_link(title: object, icon: str, page: str) -> dict[str, object]:
    """Return a link to a page of the statistics."""
    link = page_link(title, icon, f"analytics_statistics_{page}", "analytics.view_statistics")
    link["active"] = lambda request: request.path == str(link["link"])
    return link


UNFOLD = {
    "SITE_TITLE": _("Library"),
    "SITE_HEADER": _("Library"),
    "SITE_SYMBOL": "local_library",
    "SITE_FAVICONS": [{"rel": "icon", "href": lambda request: static("admin_site/favicon.svg")}],
    "STYLES": [lambda request: static("admin_site/admin.css")],
    "SCRIPTS": [lambda request: static("admin_site/names.js")],
    "SHOW_LANGUAGES": True,
    "DASHBOARD_CALLBACK": "classifier.admin.home.with_tiles",
    "COLORS": {
        "primary": {  # 600 carries white text: 5.5 to 1
            "50": "#f0fdfa",
            "100": "#ccfbf1",
            "200": "#99f6e4",
            "300": "#5eead4",
            "400": "#2dd4bf",
            "500": "#0d9488",
            "600": "#0f766e",
            "700": "#115e59",
            "800": "#134e4a",
            "900": "#0f3f3c",
            "950": "#042f2e",
        },
    },
    "SIDEBAR": {
        "show_search": True,
        "show_all_applications": True,
        "navigation": [
            {
                "title": _("Catalogue"),
                "items": [
                    sidebar_link(_("Books"), "menu_book", "catalogue.book"),
                    sidebar_link(_("Copies"), "barcode", "catalogue.copy"),
                    sidebar_link(_("Categories"), "account_tree", "catalogue.category"),
                    sidebar_link(_("Taxonomy changes"), "call_merge", "catalogue.taxonomychange"),
                ],
            },
            {
                "title": _("Circulation"),
                "items": [
                    page_link(_("Checkout"), "logout", "circulation_loan_checkout", "circulation.add_loan"),
                    page_link(_("Checkin"), "login", "circulation_loan_checkin", "circulation.add_loan"),
                    sidebar_link(_("Loans"), "sync_alt", "circulation.loan"),
                    sidebar_link(_("Overdue"), "schedule", "circulation.overdueloan"),
                    sidebar_link(_("Holds"), "queue", "circulation.hold"),
                    sidebar_link(_("Fines"), "payments", "circulation.fineentry"),
                    sidebar_link(_("Notices"), "mail", "circulation.notice"),
                    sidebar_link(_("Borrowers"), "group", "people.borrower"),
                    sidebar_link(_("Borrower categories"), "badge", "people.borrowercategory"),
                    sidebar_link(_("Loan policies"), "rule", "circulation.loanpolicy"),
                    sidebar_link(_("Closed days"), "event_busy", "circulation.closedday"),
                    sidebar_link(_("Branches"), "location_city", "catalogue.branch"),
                    sidebar_link(_("Item types"), "style", "catalogue.itemtype"),
                ],
            },
            {
                "title": _("Classifier"),
                "items": [
                    page_link(_("Review"), "fact_check", "classifier_review_next", "classifier.add_review"),
                    sidebar_link(_("Suggestions"), "lightbulb", "classifier.suggestion"),
                    sidebar_link(_("Possibly misfiled"), "wrong_location", "classifier.misfiled"),
                    sidebar_link(_("Reclassifications"), "difference", "classifier.reclassification"),
                    sidebar_link(_("Recommendations"), "recommend", "classifier.recommendation"),
                    sidebar_link(_("Feedback"), "thumbs_up_down", "classifier.feedback"),
                    page_link(
                        _("Popular and new"), "trending_up", "catalogue_book_lists", "catalogue.view_book"
                    ),
                    page_link(
                        _("Map of the collection"),
                        "scatter_plot",
                        "classifier_modelversion_map",
                        "classifier.view_modelversion",
                    ),
                    sidebar_link(_("Runs"), "play_circle", "classifier.run"),
                    sidebar_link(_("Model versions"), "history", "classifier.modelversion"),
                    sidebar_link(_("Drift reports"), "monitoring", "classifier.driftreport"),
                    sidebar_link(_("Alarms"), "notification_important", "classifier.alarm"),
                ],
            },
            {
                "title": _("Statistics"),
                "items": [
                    statistics_link(_("Overview"), "insights", "changelist"),
                    statistics_link(_("Most and least borrowed"), "leaderboard", "titles"),
                    statistics_link(_("Use of the collection"), "donut_small", "collection"),
                    statistics_link(_("Seasons"), "calendar_month", "seasons"),
                    statistics_link(_("Returns"), "assignment_return", "returns"),
                    statistics_link(_("New and returning borrowers"), "diversity_3", "borrowers"),
                    statistics_link(_("Demand forecast"), "query_stats", "forecast"),
                    statistics_link(_("Purchase suggestions"), "add_shopping_cart", "purchase"),
                    statistics_link(_("Weeding candidates"), "content_cut", "weeding"),
                    statistics_link(_("Shelf list"), "shelves", "shelf"),
                    sidebar_link(_("Scheduled reports"), "forward_to_inbox", "analytics.scheduledreport"),
                ],
            },
            {
                "title": _("Administration"),
                "items": [
                    sidebar_link(_("Users"), "person", "auth.user"),
                    sidebar_link(_("API tokens"), "key", "rest.apitoken"),
                    sidebar_link(_("Audit log"), "policy", "people.auditentry"),
                ],
            },
        ],
    },
}
