"""What Lighthouse says of the desk's pages: performance and accessibility, on a desktop and on a phone.

    python tests/benchmarks/lighthouse.py FOLDER [--pages NAME ...] [--times 3] [--keep FOLDER]

FOLDER is a data folder with a library, such as ``LIBRARY_DATA_DIR=FOLDER manage.py demo --no-serve`` makes.
It is served as in production and looked at by somebody who is signed in. Lighthouse (``npm install
lighthouse``) needs Node and a Chromium, which CHROME_PATH names. Printed are the medians, and what keeps a
page from 100. Run by hand, on an idle machine: the phone's figures are reckoned from the times it takes here.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from clients import ROOT, served

PAGES = {
    "home": "/admin/",
    "review": "/admin/classifier/review/next/",
    "statistics": "/admin/analytics/statistics/",
    "import": "/admin/catalogue/book/import/",
}
CATEGORIES = ("performance", "accessibility")
#: Lighthouse's own: a desktop with a fast line; a phone on a slow one, four times slower than this machine.
PRESETS: dict[str, list[str]] = {"desktop": ["--preset=desktop"], "mobile": []}
#: It asks to be run again where the browser's trace has no beginning (NO_NAVSTART).
_ATTEMPTS = 3
CHROME = "--chrome-flags=--headless=new --no-sandbox --disable-gpu --disable-background-networking"


def signed_in() -> str:
    """Return the cookie of an administrator."""
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
    from django.contrib.auth.models import User
    from django.contrib.sessions.backends.db import SessionStore

    user = User.objects.filter(is_superuser=True).earliest("pk")
    session = SessionStore()
    session[SESSION_KEY] = str(user.pk)
    session[BACKEND_SESSION_KEY] = "library.people.backends.AuditedBackend"
    session[HASH_SESSION_KEY] = user.get_session_auth_hash()
    session.save()
    # As production names it.
    return f"__Host-sessionid={session.session_key}"


def looked_at(address: str, preset: str, cookie: str, options: argparse.Namespace) -> dict[str, Any]:
    """Return Lighthouse's report of a page."""
    command = [options.lighthouse, address, "--output=json", "--quiet", CHROME, *PRESETS[preset]]
    command += [
        f"--only-categories={','.join(CATEGORIES)}",
        "--extra-headers",
        json.dumps({"Cookie": cookie}),
    ]
    for _attempt in range(_ATTEMPTS):
        # It prints why it failed.
        done = subprocess.run(command, check=False, stdout=subprocess.PIPE, text=True)
        if done.returncode == 0:
            break
    else:
        raise SystemExit(f"{address}: Lighthouse failed {_ATTEMPTS} times")
    report = json.loads(done.stdout)
    if report["finalDisplayedUrl"] != address or report.get("runtimeError"):
        raise SystemExit(f"{address}: {report.get('runtimeError') or report['finalDisplayedUrl']}")
    return report


def faults(report: dict[str, Any]) -> list[str]:
    """Return what weighs in a score and is not all right."""
    found = []
    for category in CATEGORIES:
        for part in report["categories"][category]["auditRefs"]:
            audit = report["audits"][part["id"]]
            if part["weight"] and audit["score"] is not None and audit["score"] < 0.9:
                found.append(f"{audit['id']} {audit['score']:.2f} {audit.get('displayValue', '')}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--lighthouse", default="lighthouse")
    parser.add_argument("--pages", nargs="*", choices=PAGES, default=list(PAGES))
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--keep", type=Path, help="a folder for the reports")
    options = parser.parse_args()
    os.environ |= {"DJANGO_SETTINGS_MODULE": "library.settings.dev", "LIBRARY_DATA_DIR": str(options.folder)}
    sys.path[:0] = [str(ROOT)]

    import django

    django.setup()
    from django.core.management import call_command
    from django.test import override_settings
    from django.utils import timezone

    hashed = "whitenoise.storage.CompressedManifestStaticFilesStorage"
    with override_settings(STORAGES={"staticfiles": {"BACKEND": hashed}}):
        call_command("collectstatic", interactive=False, verbosity=0)
    cookie = signed_in()
    print(f"{'':12}{'':9}" + "".join(f"{name:>15}" for name in CATEGORIES))
    with served(now=timezone.now()) as api:
        for name in options.pages:
            for preset in PRESETS:
                address = f"http://127.0.0.1:{api.port}{PAGES[name]}"
                reports = [looked_at(address, preset, cookie, options) for _ in range(options.times)]
                scores = [
                    statistics.median(100 * report["categories"][category]["score"] for report in reports)
                    for category in CATEGORIES
                ]
                print(f"{name:12}{preset:9}" + "".join(f"{score:15.0f}" for score in scores), flush=True)
                for fault in faults(reports[-1]):
                    print(f"{'':21} {fault}", flush=True)
                if options.keep:
                    options.keep.mkdir(parents=True, exist_ok=True)
                    file = options.keep / f"{name}-{preset}.json"
                    file.write_text(json.dumps(reports[-1]), encoding="utf-8")


if __name__ == "__main__":
    main()
