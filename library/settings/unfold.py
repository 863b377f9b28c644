"""Appearance and sidebar of the admin."""

from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _


def page_link(title: object, icon: str, page: str, permission: str) -> dict[str, object]:
    """Return a link to an admin page, shown to users with the permission."""
    return {
        "title": title,
        "icon": icon,
        "link": reverse_lazy(f"admin:{page}"),
        "permission": lambda request: request.user.has_perm(permission),
    }


#: Pages below a model's list that have their own link.
PAGES_WITH_LINK = [("loan", "checkout"), ("loan", "checkin"), ("book", "lists"), ("modelversion", "map")]


def sidebar_link(title: object, icon: str, model: str) -> dict[str, object]:
    """Return a link to a model's list, shown to users who may view it."""
    app_label, name = model.split(".")
    link = page_link(title, icon, f"{app_label}_{name}_changelist", f"{app_label}.view_{name}")
    pages = tuple(f"/{model_name}/{page}/" for model_name, page in PAGES_WITH_LINK if model_name == name)
    link["active"] = lambda request: (
        f"/{app_label}/{name}/" in request.path and not any(page in request.path for page in pages)
    )
    return link


def statistics_link(title: object, icon: str, page: str) -> dict[str, object]:
    """Return a link to a statistics page."""
    link = page_link(title, icon, f"analytics_statistics_{page}", "analytics.view_statistics")
    link["active"] = lambda request: request.path == str(link["link"])
    return link


UNFOLD = {
    "SITE_TITLE": _("Library"),
    "SITE_HEADER": _("Library"),
    "SITE_SYMBOL": "local_library",
    "SITE_FAVICONS": [{"rel": "icon", "href": lambda request: static("admin_site/favicon.svg")}],
    "STYLES": [lambda request: static("admin_site/admin.css")],
    "SCRIPTS": [lambda request: static("admin_site/select2_labels.js")],
    "SHOW_LANGUAGES": True,
    "DASHBOARD_CALLBACK": "classifier.admin.home.add_tiles",
    "COLORS": {
        "primary": {  # 600 with white text has a contrast of 5.5 to 1
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
                    sidebar_link(_("Category changes"), "call_merge", "catalogue.taxonomychange"),
                ],
            },
            {
                "title": _("Circulation"),
                "items": [
                    page_link(_("Check out"), "logout", "circulation_loan_checkout", "circulation.add_loan"),
                    page_link(_("Check in"), "login", "circulation_loan_checkin", "circulation.add_loan"),
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
                "title": _("AI cataloguing"),
                "items": [
                    page_link(_("Review"), "fact_check", "classifier_review_next", "classifier.add_review"),
                    sidebar_link(_("Suggestions"), "lightbulb", "classifier.suggestion"),
                    sidebar_link(_("Possible misfiles"), "wrong_location", "classifier.misfiled"),
                    sidebar_link(_("Batches"), "difference", "classifier.batch"),
                    sidebar_link(_("Recommendations"), "recommend", "classifier.recommendation"),
                    sidebar_link(_("Borrower feedback"), "thumbs_up_down", "classifier.feedback"),
                    page_link(_("Highlights"), "trending_up", "catalogue_book_lists", "catalogue.view_book"),
                    page_link(
                        _("Collection map"),
                        "scatter_plot",
                        "classifier_modelversion_map",
                        "classifier.view_modelversion",
                    ),
                    sidebar_link(_("Jobs"), "play_circle", "classifier.run"),
                    sidebar_link(_("Model versions"), "history", "classifier.modelversion"),
                    sidebar_link(_("Model health"), "monitoring", "classifier.driftreport"),
                    sidebar_link(_("Alerts"), "notification_important", "classifier.alert"),
                ],
            },
            {
                "title": _("Statistics"),
                "items": [
                    statistics_link(_("Overview"), "insights", "changelist"),
                    statistics_link(_("Top and bottom titles"), "leaderboard", "titles"),
                    statistics_link(_("Collection use"), "donut_small", "collection"),
                    statistics_link(_("Busy times"), "calendar_month", "seasons"),
                    statistics_link(_("Returns"), "assignment_return", "returns"),
                    statistics_link(_("Borrower activity"), "diversity_3", "borrowers"),
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
