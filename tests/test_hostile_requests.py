"""Requests that no page sends get a proper response, never a server error."""

from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.db import InternalError, OperationalError
from django.db.models import Model
from django.test import Client
from django.utils import timezone

from commands import access
from commands.models import Account, Preset
from commands.rules.states import Status
from tests.html import Page
from tests.people import make_account, make_person
from tests.rows import make_artifact, make_command, make_device, make_dispatch, make_pause, make_run

pytestmark = pytest.mark.django_db

CONTENT_TYPES = [
    *(
        f"application/x-www-form-urlencoded; charset={charset}"
        for charset in ("klingon", "utf-16", "utf-7", "idna", "hex")
    ),
    "multipart/form-data; boundary=x; charset=klingon",
    "multipart/form-data; boundary=",
    "multipart/form-data",
    "application/json",
]
PATHS = [
    "/",
    "/frame",
    "/commands/table",
    "/commands/act",
    "/ask/plan",
    "/ask/preset",
    "/history/",
    "/search/",
    "/people/maria@example.com/",
    "/accounts/login/",
    "/accounts/password/reset/",
    "/admin/",
    "/admin/commands/preset/add/",
    "/healthz",
    "/metrics",
    "/x",
]


@pytest.fixture
def account() -> Account:
    return make_account()


@pytest.fixture
def administrator(account: Account) -> Client:
    return _signed_in("ada", "admin")


def _signed_in(name: str, group: str) -> Client:
    client = Client(raise_request_exception=False)
    client.force_login(make_person(name, group, is_staff=group == "admin"))
    return client


@pytest.mark.parametrize("path", PATHS)
def test_form_in_another_encoding_is_refused_wherever_it_is_sent(administrator: Client, path: str) -> None:
    stranger = Client(raise_request_exception=False, enforce_csrf_checks=True)
    stranger.get("/accounts/login/")  # with a CSRF cookie, or the form would not be read at all
    for client in (administrator, stranger):
        for content_type in CONTENT_TYPES:
            answer = client.generic("POST", path, b"a=b&c=%ff", content_type=content_type)
            assert answer.status_code < 500, content_type


@pytest.mark.parametrize("end", ["\r\nX: y", "\n", "\x7f", "\u2028", "\x00"])
def test_address_to_return_to_with_a_line_end_leads_to_the_desk(account: Account, end: str) -> None:
    client = _signed_in("hanna", "helpdesk")
    answer = client.post("/commands/act", {"operation": "withdraw", "back": f"/history/{end}"})
    assert (answer.status_code, answer["Location"]) == (303, "/")


def _lookups() -> Iterator[str]:
    yield from ("x=1", "pk=z", "q=%00", "q=" + "9" * 5000, "o=z", "o=1.2.3.99", "p=z", "p=" + "9" * 30, "all=1", "e=1")
    yield from ("_facets=1", "_to_field=secret", "_popup=1&_to_field=z", "_changelist_filters=%ff")
    for field in ("id", "name", "status", "secret", "account__name", "credential__secret", "requested_at", "seen_at"):
        for lookup in ("exact", "regex", "startswith", "in", "isnull", "gte", "year"):
            for value in ("(", "9" * 30):
                yield f"{field}__{lookup}={value}"


@pytest.fixture
def filled(account: Account, administrator: Client) -> None:
    """Create a row of most models, because a database looks at a filter only if there are rows."""
    run = make_run(account, make_person("hanna", "helpdesk"))
    command = make_command(run, Status.SUCCESS, dispatch=make_dispatch(account))
    make_artifact(command)
    make_device(account)
    make_pause(account, "list", until=timezone.now(), since=timezone.now())


MODELS: list[type[Model]] = sorted(admin.site._registry, key=lambda model: str(model._meta.label))


@pytest.mark.parametrize("model", MODELS)
def test_lists_of_the_admin_take_any_query(administrator: Client, filled: None, model: type[Model]) -> None:
    path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    offered = {"status__exact"}
    for query in _lookups():
        answer = administrator.get(f"{path}?{query}")
        assert answer.status_code in {200, 302, 400, 403}, query
        if "__" in query and query.partition("=")[0] not in offered:
            assert answer.status_code != 200, query
    for key in ("z", "9" * 30, "%00", "00000000-0000-0000-0000-000000000000"):
        for page in ("change", "history", "delete"):
            assert administrator.get(f"{path}{key}/{page}/").status_code in {302, 400, 403, 404}, key


def test_password_page_of_the_admin_leads_to_the_one_with_limits(administrator: Client) -> None:
    assert administrator.get("/admin/password_change/")["Location"] == "/accounts/password/change/"


@pytest.mark.parametrize(
    "options",
    [
        "[" * 100_000,
        '{"pcap": ' + "[" * 5000 + "]" * 5000 + "}",
        '{"pcap": {"time-limit-min": ' + "9" * 5000 + "}}",
        '{"pcap": {"time-limit-min": 1e999}}',
        '{"pcap": {"time-limit-min": NaN}}',
        '{"pcap": {"\\ud800": 1}}',
        '{"pcap": {"time-limit-min": "\\ud800"}}',
        '{"pcap": {"time-limit-min": "\\u0000"}}',
        '{"\\udc00": {}}',
    ],
)
def test_options_of_a_preset_that_cannot_be_stored_are_an_error_at_the_field(
    administrator: Client, options: str
) -> None:
    answer = administrator.post("/admin/commands/preset/add/", {"name": "x", "position": 1, "options": options})
    assert answer.status_code == 200
    assert Page.of(answer).text(".field-options .errorlist")
    assert not Preset.objects.filter(name="x").exists()


@pytest.mark.parametrize(
    "problem",
    [OperationalError("attempt to write a readonly database"), InternalError("read-only transaction")],
    ids=["SQLite", "PostgreSQL"],
)
def test_database_that_cannot_be_written_is_a_sentence(
    account: Account, monkeypatch: pytest.MonkeyPatch, problem: Exception
) -> None:
    client = _signed_in("hanna", "helpdesk")

    def fail(*_arguments: object) -> None:
        raise problem

    monkeypatch.setattr(access, "get_commands", fail)
    answer = client.post("/commands/act", {"operation": "withdraw", "id": "01900000-0000-7000-8000-000000000000"})
    assert answer.status_code == 503
    assert Page.of(answer).text("h1") == "Database unavailable"
