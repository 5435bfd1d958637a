"""Health probes of any host, headers of every response, and file parts."""

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from tests.people import make_account, make_person

pytestmark = pytest.mark.django_db


@pytest.fixture
def client() -> Client:
    make_account()
    signed_in = Client()
    signed_in.force_login(make_person("hanna", "helpdesk"))
    return signed_in


@pytest.mark.parametrize("host", ["10.0.0.7:8000", "dexportal-web-1", "[fd00::7]", "bad host"])
def test_health_and_metrics_answer_whatever_the_host_is(settings: Settings, host: str) -> None:
    settings.ALLOWED_HOSTS = ["dex.example.com"]
    settings.METRICS_TOKEN = "a-long-token"
    for path in ("/healthz", "/readyz", "/metrics"):
        answer = Client().get(path, HTTP_HOST=host, HTTP_AUTHORIZATION="Bearer a-long-token")
        assert answer.status_code == 200, path
    assert Client().get("/accounts/login/", HTTP_HOST=host).status_code == 400


@pytest.mark.parametrize(
    ("path", "status"),
    [("/", 200), ("/status/", 403), ("/runs/01900000-0000-7000-8000-000000000000/", 404), ("/x", 404)],
)
def test_no_cache_keeps_a_response_of_a_signed_in_person(client: Client, path: str, status: int) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer["Cache-Control"]) == (status, "no-store")


def test_every_response_switches_browser_features_off(client: Client) -> None:
    for path in ("/", "/healthz", "/accounts/login/", "/static/css/tokens.css", "/x"):
        assert "camera=()" in client.get(path)["Permissions-Policy"], path


def test_signing_out_clears_what_the_browser_keeps(client: Client) -> None:
    answer = client.post("/accounts/logout/")
    assert (answer.status_code, answer["Clear-Site-Data"]) == (302, '"cache"')
    assert "Clear-Site-Data" not in client.get("/accounts/login/")


@pytest.mark.parametrize("path", ["/", "/accounts/login/"])
def test_file_part_is_refused(client: Client, path: str) -> None:
    file = SimpleUploadedFile("list.csv", b"x" * 1000)
    stranger = Client(enforce_csrf_checks=True)  # with a CSRF cookie, or the form would not be read at all
    stranger.get("/accounts/login/")
    for someone in (client, stranger):
        answer = someone.post(path, {"login": "hanna", "targets": file})
        assert answer.status_code == 400
        assert "Request too large or damaged" in answer.text
