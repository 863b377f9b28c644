import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.urls import reverse

from tests.logins import desk, make_librarian


def test_the_home_page_leads_to_the_desk_and_the_api(client):
    page = client.get("/").content.decode()
    for address in ("/admin/", "/api/docs/", "/api/schema/"):
        assert f'href="{address}"' in page


def test_the_home_page_changes_its_language(client):
    assert "<h1>Library</h1>" in client.get("/").content.decode()
    answer = client.post(reverse("set_language"), {"language": "zh-hans", "next": "/"})
    assert answer.url == "/"
    page = client.get("/").content.decode()
    assert '<html lang="zh-hans">' in page
    assert "<h1>图书馆</h1>" in page


def test_the_home_page_is_read_only(client):
    assert client.post("/").status_code == 405


@pytest.mark.parametrize(("name", "kind"), [("covers/a.png", "image/png"), ("audio/a.flac", "audio/")])
def test_a_cover_and_a_recording_are_sent(client, data_folder, name, kind):
    file = data_folder / "media" / name
    file.parent.mkdir(parents=True)
    file.write_bytes(b"picture or sound")
    answer = client.get(f"/media/{name}")
    assert b"".join(answer.streaming_content) == b"picture or sound"
    assert answer["Content-Type"].startswith(kind)
    assert answer["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("path", "status"), [("../secret", 400), ("%2e%2e/secret", 400), ("..%2fsecret", 400), ("/secret", 404)]
)
@pytest.mark.parametrize("folder", ["covers", "audio"])
def test_nothing_outside_the_covers_and_recordings_is_sent(client, data_folder, folder, path, status):
    (data_folder / "media" / folder).mkdir(parents=True)
    (data_folder / "media" / "secret").write_text("key")
    assert client.get(f"/media/{folder}/{path}").status_code == status
    assert client.get("/media/secret").status_code == 404


@pytest.mark.django_db
def test_the_sidebar_shows_a_librarian_what_a_librarian_may_see():
    page = desk(make_librarian()).get("/admin/").content.decode()
    for address in ("catalogue/book", "circulation/loan", "people/borrower", "classifier/suggestion"):
        assert f'href="/admin/{address}/"' in page
    assert "/admin/auth/user/" not in page


@pytest.mark.django_db
def test_the_sidebar_shows_nothing_to_staff_without_permissions():
    page = desk(User.objects.create_user("new", is_staff=True)).get("/admin/").content.decode()
    assert "/admin/catalogue/book/" not in page


@pytest.mark.django_db
def test_the_login_page_speaks_chinese(client):
    page = client.get("/admin/login/", headers={"accept-language": "zh-hans"}).content.decode()
    assert "欢迎回到" in page
    assert "图书馆" in page


@pytest.mark.django_db
@pytest.mark.parametrize(
    "model",
    [
        "auth/user",
        "auth/group",
        "rest/apitoken",
        "django_celery_beat/periodictask",
        "django_celery_beat/crontabschedule",
    ],
)
def test_other_packages_models_are_drawn_in_our_look(model):
    client = desk(User.objects.create_superuser("root"))
    assert "unfold" in client.get(f"/admin/{model}/").content.decode()
    page = client.get(f"/admin/{model}/add/").content.decode()
    assert 'class="border border-base-200' in page


STRICT = (
    "default-src 'none'; base-uri 'none'; connect-src 'self'; font-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; img-src 'self' data:; media-src 'self'; script-src 'self'; style-src 'self'"
)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("address", "policy"),
    [
        ("/", STRICT),
        ("/health/ready", STRICT),
        ("/api/v1/books/", STRICT),
        ("/nowhere/", STRICT),
        (
            "/admin/login/",
            STRICT.replace("script-src 'self'", "script-src 'self' 'unsafe-eval'").replace(
                "style-src 'self'", "style-src 'self' 'unsafe-inline'"
            ),
        ),
        ("/api/docs/", STRICT.replace("style-src 'self'", "style-src 'self' 'unsafe-inline'")),
    ],
)
def test_every_answer_says_what_a_page_may_load_and_run(client, address, policy):
    sent = client.get(address)["Content-Security-Policy"]
    assert set(sent.split("; ")) == set(policy.split("; "))


def labels_of_choices():
    """Each column that shows the choices of a field as coloured labels: its name, the choices, the labels."""
    for model, page in admin.site._registry.items():
        for column in page.list_display:
            shown = getattr(page, column, None) if isinstance(column, str) else column
            labels, field = getattr(shown, "label", None), getattr(shown, "admin_order_field", None)
            if isinstance(labels, dict) and isinstance(field, str):
                choices = {value for value, _ in model._meta.get_field(field).flatchoices}
                # Else they are labels of something else, that is only ordered by this field.
                if choices & set(labels):
                    yield f"{model.__name__}.{field}", choices, set(labels)


def test_each_choice_shown_as_a_label_is_named_for_the_theme_shows_the_databases_word_for_others():
    found = list(labels_of_choices())
    assert {name for name, *_ in found} >= {
        "Hold.status",
        "Copy.status",
        "Notice.state",
        "Book.category_source",
    }
    assert {name: choices - labels for name, choices, labels in found if choices - labels} == {}


def test_no_list_is_ordered_by_dragging_for_which_the_theme_would_need_a_script_of_its_own():
    # That script is left out: library/admin_site/theme/unfold/js/alpine/alpine.sort.js.
    pages = [
        page for model_admin in admin.site._registry.values() for page in (model_admin, *model_admin.inlines)
    ]
    assert [page for page in pages if getattr(page, "ordering_field", None)] == []
