"""Sign-in: people, rate limits, account pages and security headers."""

from ipaddress import ip_network

import pytest
from django.contrib.auth import get_user_model
from django.core.cache import cache, caches
from django.core.cache.backends.db import DatabaseCache
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from tests.html import Page

pytestmark = pytest.mark.django_db

PASSWORD = "an-invented-pass-phrase"


@pytest.fixture(autouse=True)
def _a_person() -> None:
    cache.clear()
    get_user_model().objects.create_user("ada", email="ada@example.com", password=PASSWORD)


def sign_in(client: Client, login: str, password: str = PASSWORD) -> bool:
    client.post(reverse("account_login"), {"login": login, "password": password})
    return "_auth_user_id" in client.session


def test_sign_in_page_has_name_and_password_and_no_sign_up(client: Client) -> None:
    page = Page.of(client.get(reverse("account_login")))
    form = page.one(f"form[action='{reverse('account_login')}']")
    assert form.text("label[for=id_login]") == "User name or email"
    assert form.text("label[for=id_password]") == "Password"
    assert form.one("[name=csrfmiddlewaretoken]")["value"]
    assert not page.select(f"a[href='{reverse('account_signup')}']")
    for attribute in ("aria-describedby", "aria-labelledby"):
        for element in page.select(f"[{attribute}]"):
            assert all(page.one(f"#{name}") for name in element[attribute].split())


@pytest.mark.parametrize("login", ["ada", "ada@example.com"])
def test_person_signs_in_by_name_or_email(login: str, client: Client) -> None:
    assert sign_in(client, login)


def test_wrong_password_shows_a_message_on_the_page(client: Client) -> None:
    page = Page.of(client.post(reverse("account_login"), {"login": "ada", "password": "wrong"}))
    assert "password" in page.text("form [role=alert]")


def test_deactivated_person_cannot_sign_in(client: Client) -> None:
    get_user_model().objects.update(is_active=False)
    assert not sign_in(client, "ada")


def test_sign_up_is_closed(client: Client) -> None:
    fields = {"username": "eve", "email": "eve@example.com", "password1": PASSWORD, "password2": PASSWORD}
    assert "closed" in Page.of(client.get(reverse("account_signup"))).text("main").lower()
    client.post(reverse("account_signup"), fields)
    assert not get_user_model().objects.filter(username="eve").exists()


def test_five_wrong_passwords_block_the_right_one_by_a_count_in_the_database(client: Client) -> None:
    for _ in range(5):
        assert not sign_in(client, "ada", "wrong")
    assert not sign_in(Client(), "ada")
    assert isinstance(caches["default"], DatabaseCache)


def test_attempts_with_many_names_do_not_reset_the_count_of_a_name(client: Client) -> None:
    for _ in range(5):
        assert not sign_in(client, "ada", "wrong")
    cache.set_many({f"{letter}{number}": 1 for letter in "0az~" for number in range(150)}, timeout=300)
    assert not sign_in(Client(), "ada")


def test_rate_limit_by_address_counts_the_client_and_not_the_proxy(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = (ip_network("192.0.2.1/32"),)

    def client_at(address: str) -> Client:
        return Client(REMOTE_ADDR="192.0.2.1", headers={"X-Forwarded-For": f"203.0.113.99, {address}"})

    guesses = [
        client_at("198.51.100.7").post(reverse("account_login"), {"login": f"p{n}", "password": "x"}) for n in range(31)
    ]
    assert guesses[-1].status_code == 429
    assert sign_in(client_at("198.51.100.8"), "ada")


def test_admin_uses_the_sign_in_page_of_the_portal(client: Client) -> None:
    answer = client.get("/admin/login/?next=/admin/")
    assert answer.status_code == 302
    assert answer.headers["Location"].startswith(reverse("account_login"))


def test_sign_out_needs_a_post(client: Client) -> None:
    assert sign_in(client, "ada")
    client.get(reverse("account_logout"))
    assert "_auth_user_id" in client.session
    client.post(reverse("account_logout"))
    assert "_auth_user_id" not in client.session


def test_person_can_change_the_password_but_not_the_email_address(client: Client) -> None:
    assert sign_in(client, "ada")
    new = "another-pass-phrase"
    fields = {"oldpassword": PASSWORD, "password1": new, "password2": new}
    client.post(reverse("account_change_password"), fields)
    assert sign_in(Client(), "ada", new)
    answer = client.post("/accounts/email/", {"action_add": "", "email": "other@example.com"})
    assert answer.headers["Location"] == reverse("account_change_password")


def test_every_page_has_the_content_security_policy(client: Client) -> None:
    headers = client.get(reverse("account_login")).headers
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["form-action"] == "'self'"
    assert policy["img-src"] == "'self' data:"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["X-Frame-Options"] == "DENY"


@pytest.mark.parametrize("name", ["account_change_password", "account_reset_password", "account_logout"])
def test_account_pages_have_the_layout_and_policy_of_the_portal(name: str, client: Client) -> None:
    if name != "account_reset_password":
        assert sign_in(client, "ada")
    answer = client.get(reverse(name))
    assert answer.status_code == 200
    assert "base.html" in [template.name for template in answer.templates]
    page = Page.of(answer)
    assert page.select("main form")
    assert not page.inline_code()
