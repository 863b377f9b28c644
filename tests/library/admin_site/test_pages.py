import pytest
from django.contrib import admin
from django.contrib.auth.models import User
from django.urls import reverse

from tests.logins import desk, make_librarian


def test_home_page_links_to_admin_and_api(client):
    page = client.get("/").content.decode()
    for url in ("/admin/", "/api/docs/", "/api/schema/"):
        assert f'href="{url}"' in page


def test_home_page_switches_language(client):
    assert "<h1>Library</h1>" in client.get("/").content.decode()
    response = client.post(reverse("set_language"), {"language": "zh-hans", "next": "/"})
    assert response.url == "/"
    page = client.get("/").content.decode()
    assert '<html lang="zh-hans">' in page
    assert "<h1>图书馆</h1>" in page


def test_home_page_rejects_post(client):
    assert client.post("/").status_code == 405


@pytest.mark.parametrize(("name", "kind"), [("covers/a.png", "image/png"), ("audio/a.flac", "audio/")])
def test_cover_and_recording_are_served(client, data_folder, name, kind):
    file = data_folder / "media" / name
    file.parent.mkdir(parents=True)
    file.write_bytes(b"picture or sound")
    response = client.get(f"/media/{name}")
    assert b"".join(response.streaming_content) == b"picture or sound"
    assert response["Content-Type"].startswith(kind)
    assert response["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize(
    ("path", "status"), [("../secret", 400), ("%2e%2e/secret", 400), ("..%2fsecret", 400), ("/secret", 404)]
)
@pytest.mark.parametrize("folder", ["covers", "audio"])
def test_other_files_are_not_served(client, data_folder, folder, path, status):
    (data_folder / "media" / folder).mkdir(parents=True)
    (data_folder / "media" / "secret").write_text("key")
    assert client.get(f"/media/{folder}/{path}").status_code == status
    assert client.get("/media/secret").status_code == 404


@pytest.mark.django_db
def test_sidebar_shows_permitted_pages():
    page = desk(make_librarian()).get("/admin/").content.decode()
    for url in ("catalogue/book", "circulation/loan", "people/borrower", "classifier/suggestion"):
        assert f'href="/admin/{url}/"' in page
    assert "/admin/auth/user/" not in page


@pytest.mark.django_db
def test_sidebar_is_empty_without_permissions():
    page = desk(User.objects.create_user("new", is_staff=True)).get("/admin/").content.decode()
    assert "/admin/catalogue/book/" not in page


@pytest.mark.django_db
def test_login_page_in_chinese(client):
    page = client.get("/admin/login/", headers={"accept-language": "zh-hans"}).content.decode()
    assert "欢迎使用" in page
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
def test_third_party_models_use_the_theme(model):
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
    ("url", "policy"),
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
def test_responses_have_a_content_security_policy(client, url, policy):
    sent = client.get(url)["Content-Security-Policy"]
    assert set(sent.split("; ")) == set(policy.split("; "))


def labels_of_choices():
    """Yield the name, choices and labels of each column that shows choices as coloured labels."""
    for model, page in admin.site._registry.items():
        for column in page.list_display:
            display = getattr(page, column, None) if isinstance(column, str) else column
            labels, field = getattr(display, "label", None), getattr(display, "admin_order_field", None)
            if isinstance(labels, dict) and isinstance(field, str):
                choices = {value for value, _ in model._meta.get_field(field).flatchoices}
                # Without a common value the labels belong to something that is only ordered by this field.
                if choices & set(labels):
                    yield f"{model.__name__}.{field}", choices, set(labels)


def test_every_labelled_choice_has_a_label():
    # For other values the theme would show the database value.
    columns = list(labels_of_choices())
    assert {name for name, *_ in columns} >= {
        "Hold.status",
        "Copy.status",
        "Notice.state",
        "Book.category_source",
    }
    assert {name: choices - labels for name, choices, labels in columns if choices - labels} == {}
