"""Every address, opened by people with each role, in their own account and in a foreign one.

The roles have the rights of the shipped groups, but in the account "Own" only. They have no right in "Foreign". An
address that is not listed here fails a test.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.files.base import ContentFile
from django.http import HttpResponseBase
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from commands.access import Right
from commands.grants import ADMIN_GROUP, GROUPS
from commands.models import Account, Artifact, Command, Device, Run, User
from commands.rules.states import ArtifactStatus, Status
from commands.storage import artifact_storage
from tests.html import Page
from tests.people import make_account, make_group, make_person
from tests.rows import (
    make_artifact,
    make_command,
    make_device,
    make_dispatch,
    make_event,
    make_notification,
    make_pause,
    make_run,
)

pytestmark = pytest.mark.django_db

ROLES = ("helpdesk", "manager", "admin", "auditor", "outsider")
SIGNED_OUT = "signed out"
HTMX = {"HX-Request": "true", "HX-Current-URL": "http://testserver/"}
DEVICE, EMAIL, TICKET = "00000000-0000-4000-8000-0000000000aa", "mia@example.com", "INC-88"


@dataclass(frozen=True)
class Things:
    """Account with one row of everything. `absent()` has the same account and ids of no row."""

    account: Account
    command_id: UUID
    run_id: UUID
    device_id: str = DEVICE
    email: str = EMAIL

    def absent(self) -> "Things":
        return Things(self.account, uuid4(), uuid4(), str(uuid4()), "nobody@example.com")


@dataclass(frozen=True)
class Entry:
    """Address, and the rights that open it.

    `path` takes the fields of Things. A person with any right of `right` gets `status`, and everybody else gets 403.
    `is_object` marks an address that names one object, whose account decides. No preset is named here, so a person
    with the right to run gets 404 for it.
    """

    path: str
    right: tuple[Right, ...]
    status: int = 200
    method: str = "get"
    is_object: bool = False
    given: Mapping[str, str] = field(default_factory=dict)


SEE, RUN = (Right.SEE,), (Right.RUN,)

PAGES: Mapping[str, Entry] = {
    "desk": Entry("/", (Right.SEE, Right.RUN), given={"requested_by": "everyone"}),
    "frame": Entry("/frame", (Right.SEE, Right.RUN)),
    "ask-devices": Entry("/ask/devices", RUN),
    "ask-preset": Entry("/ask/preset", RUN, status=404, method="post"),
    "ask-plan": Entry("/ask/plan", RUN, method="post"),
    "table": Entry("/commands/table", SEE, given={"requested_by": "everyone"}),
    "act": Entry(
        "/commands/act",
        RUN,
        status=303,
        method="post",
        is_object=True,
        given={"operation": "withdraw", "id": "{command_id}"},
    ),
    "command": Entry("/commands/{command_id}/", SEE, is_object=True),
    "download": Entry("/commands/{command_id}/download", (Right.SEE_CONTENTS,), is_object=True),
    "send-now": Entry("/commands/{command_id}/send-now", RUN, status=303, method="post", is_object=True),
    "run-again": Entry("/commands/{command_id}/run-again", RUN, status=303, method="post", is_object=True),
    "history": Entry("/history/", SEE),
    "search": Entry("/search/", SEE),
    "person": Entry("/people/{email}/", SEE),
    "device": Entry("/devices/{device_id}/", SEE),
    "run": Entry("/runs/{run_id}/", SEE, is_object=True),
    "withdraw": Entry("/runs/{run_id}/withdraw", RUN, status=303, method="post", is_object=True),
    "again": Entry("/runs/{run_id}/again", RUN, status=303, method="post", is_object=True),
}
ADMINISTERED = {"status": "/status/"}
"""Pages about all accounts that a person administers."""

PROBES = {"healthz", "readyz", "metrics"}
"""Pages for machines, which need no person. They are tested in tests/dexportal."""

SIGN_IN = {"login", "logout", "inactive", "signup", "reauthenticate", "email", "confirm_email"}
SIGN_IN |= {"email_verification_sent", "change_password", "set_password", "confirm_login_code", "reset_password"}
SIGN_IN |= {"reset_password_done", "reset_password_from_key", "reset_password_from_key_done"}
"""Pages of allauth about the person themselves. They are tested in tests/dexportal/test_sign_in.py."""


def named_patterns(patterns: Iterable[URLPattern | URLResolver], space: str = "") -> Iterator[tuple[str, URLPattern]]:
    """Yield (name, pattern) of every address. An address without a name has the name ''."""
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            yield f"{space}{pattern.name or ''}", pattern
        else:
            yield from named_patterns(
                pattern.url_patterns, f"{space}{pattern.namespace}:" if pattern.namespace else space
            )


def addresses() -> set[str]:
    return {name for name, _ in named_patterns(get_resolver().url_patterns)}


@pytest.fixture(autouse=True)
def _files(settings: Any, tmp_path: Path) -> None:
    folder = {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": tmp_path}}
    settings.STORAGES = {**settings.STORAGES, "artifacts": folder}


@pytest.fixture
def own() -> Things:
    return make_things("Own")


@pytest.fixture
def foreign() -> Things:
    return make_things("Foreign")


def make_things(name: str) -> Things:
    account = make_account(name)
    run = make_run(account, make_person(f"requester-{name}"), ticket=TICKET, options={"pcap": {"time-limit-min": 1}})
    facts: dict[str, Any] = {"device_id": DEVICE, "email": EMAIL, "ticket": TICKET, "device_name": f"of {name}"}
    command = make_command(run, Status.SUCCESS, remote_id="one remote id", **facts)
    values: dict[str, Any] = {"size": 3, "sha256": "0" * 64, "stored_at": timezone.now()}
    artifact = make_artifact(command, ArtifactStatus.READ, **values)
    artifact_storage().save(artifact.storage_name, ContentFile(b"zip"))
    make_device(account, device_id=DEVICE, email=EMAIL, name=f"of {name}")
    return Things(account, command.id, run.id)


def person(role: str, account: Account) -> User:
    """Create a person with the rights of the role's shipped group in this account. An admin may use the admin, too."""
    rights = {right.value: True for right in GROUPS.get(role, ())}
    if rights:
        make_group(f"{role} there", account=account, **rights)
    user = make_person(role, *([f"{role} there"] if rights else []), is_staff=role == "admin")
    if role == "admin":
        user.user_permissions.set(Permission.objects.filter(group__name=ADMIN_GROUP))
    return user


def request(client: Client, entry: Entry, about: Things, **headers: str) -> HttpResponseBase:
    names = {name: str(getattr(about, name)) for name in ("command_id", "run_id", "device_id", "email")}
    path = entry.path.format(**names)
    given = {name: value.format(**names) for name, value in entry.given.items()}
    if not entry.is_object:
        given["account"] = str(about.account.id)
    answer: HttpResponseBase = getattr(client, entry.method)(path, given, headers=headers)
    return read_to_the_end(answer)


def read_to_the_end(answer: HttpResponseBase) -> HttpResponseBase:
    """Read a download, which counts against the limit of downloads until its end."""
    if answer.streaming:
        assert b"".join(answer.streaming_content)  # type: ignore[attr-defined]
    return answer


def signed_in(role: str, own: Things) -> Client:
    client = Client()
    if role != SIGNED_OUT:
        client.force_login(person(role, own.account))
    return client


def test_every_address_is_listed_here() -> None:
    ours = {name for name in addresses() if ":" not in name}
    known = {*PAGES, *ADMINISTERED, *PROBES, *(f"account_{name}" for name in SIGN_IN), ""}
    assert ours == known


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", PAGES)
def test_right_opens_only_its_own_addresses(name: str, role: str, own: Things) -> None:
    entry, rights = PAGES[name], GROUPS.get(role, ())
    expected = 404 if not rights else entry.status if set(entry.right) & set(rights) else 403
    answer = request(signed_in(role, own), entry, own)
    assert answer.status_code == expected
    if expected == 403:
        assert "the right to" in Page.of(answer).text("main")


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", PAGES)
def test_foreign_row_and_unknown_id_get_the_same_response(name: str, role: str, own: Things, foreign: Things) -> None:
    client, entry = signed_in(role, own), PAGES[name]
    hidden = request(client, entry, foreign)
    unknown = Things(Account(id=uuid4()), uuid4(), uuid4(), foreign.device_id, foreign.email)
    absent = request(client, entry, unknown)
    assert (hidden.status_code, absent.status_code) == (404, 404)
    assert visible(hidden) == visible(absent)


@pytest.mark.parametrize("name", ["person", "device"])
def test_person_or_device_of_a_foreign_account_gets_the_response_of_an_unknown_one(
    name: str, own: Things, foreign: Things
) -> None:
    client = signed_in("manager", own)
    make_device(foreign.account, device_id="only-there", email="only@example.com")
    hidden = request(client, PAGES[name], Things(own.account, uuid4(), uuid4(), "only-there", "only@example.com"))
    absent = request(client, PAGES[name], own.absent())
    assert (hidden.status_code, absent.status_code) == (404, 404)
    assert visible(hidden) == visible(absent)


def visible(answer: HttpResponseBase) -> tuple[int, str, list[tuple[str, str]]]:
    """Return all that a viewer gets: status, content and headers."""
    return answer.status_code, Page.of(answer).html, sorted(answer.headers.items())


@pytest.mark.parametrize("name", [*PAGES, *ADMINISTERED])
def test_signed_out_person_is_sent_to_the_sign_in_page_from_pages_and_parts(name: str, own: Things) -> None:
    entry = PAGES.get(name) or Entry(ADMINISTERED[name], ())
    for about in (own, own.absent()):
        answer = request(Client(), entry, about)
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith("/accounts/login/?next=")
        part = request(Client(), entry, about, **HTMX)
        assert part.status_code == 401
        assert part.headers["HX-Redirect"].startswith("/accounts/login/")


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("name", ADMINISTERED)
def test_only_administrators_open_the_pages_about_accounts(name: str, role: str, own: Things, foreign: Things) -> None:
    answer = signed_in(role, own).get(ADMINISTERED[name])
    assert answer.status_code == (200 if role == "admin" else 403)
    assert "Foreign" not in Page.of(answer).html


# --- Lists


@pytest.mark.parametrize("role", ["helpdesk", "manager", "admin", "auditor"])
@pytest.mark.parametrize("name", ["desk", "table", "history", "person", "device", "run", "search"])
def test_every_link_of_a_list_opens(name: str, role: str, own: Things, foreign: Things) -> None:
    client = signed_in(role, own)
    paths = {"search": f"/search/?account={own.account.id}&q={DEVICE}"}
    answer = client.get(paths[name]) if name in paths else request(client, PAGES[name], own)
    page = Page.of(answer)
    links = {link["href"] for link in page.select("a[href^='/']")}
    if name != "search":
        assert f"/commands/{own.command_id}/" in links
    assert str(foreign.command_id) not in page.html
    assert "Foreign" not in page.html
    for link in sorted(links):
        assert read_to_the_end(client.get(link)).status_code in (200, 302), link


@pytest.mark.parametrize("word", [DEVICE, EMAIL, TICKET, "one remote id", "of foreign", "of f", "mi"])
def test_search_finds_nothing_of_a_foreign_account(word: str, own: Things, foreign: Things) -> None:
    client = signed_in("manager", own)
    answer = client.get("/search/", {"q": word})
    assert str(foreign.account.id) not in answer.headers.get("Location", "")
    if answer.status_code == 200:
        assert str(foreign.account.id) not in Page.of(answer).html


# --- The admin


ADMIN_OPEN = {"admin:password_change", "admin:login", "admin:logout"}


def test_admin_is_for_staff_only(own: Things) -> None:
    object_id = str(own.command_id)
    paths = {
        name: _admin_path(name, pattern, object_id) for name, pattern in named_patterns(get_resolver().url_patterns)
    }
    pages = {name: path for name, path in paths.items() if name.startswith("admin:") and name not in ADMIN_OPEN}
    assert len(pages) > 60
    for role in (SIGNED_OUT, "helpdesk", "manager", "auditor", "outsider"):
        client = signed_in(role, own)
        for name, path in pages.items():
            answer = client.get(path)
            assert answer.status_code in (302, 403), (role, name)
            if answer.status_code == 302:
                assert "/login/" in answer.headers["Location"], (role, name)


def test_admin_cannot_change_the_record_of_commands(own: Things) -> None:
    client = signed_in("admin", own)
    for model in ("command", "event", "run", "artifact", "device", "dispatch"):
        assert client.get(f"/admin/commands/{model}/").status_code == 200
        assert client.get(f"/admin/commands/{model}/add/").status_code == 403
    for act in ("delete", "change"):
        path = f"/admin/commands/command/{own.command_id}/{act}/"
        assert client.post(path, {"status": "queued", "post": "yes"}).status_code == 403
    assert Command.objects.get(id=own.command_id).status == Status.SUCCESS


SCOPED: Mapping[str, Callable[[Things], Any]] = {
    "account": lambda things: things.account,
    "command": lambda things: Command.objects.get(id=things.command_id),
    "run": lambda things: Run.objects.get(id=things.run_id),
    "artifact": lambda things: Artifact.objects.get(command=things.command_id),
    "device": lambda things: Device.objects.get(account=things.account),
    "event": lambda things: make_event(Command.objects.get(id=things.command_id)),
    "dispatch": lambda things: make_dispatch(things.account),
    "notification": lambda things: make_notification(make_pause(things.account, "create")),
    "pause": lambda things: make_pause(things.account, "list"),
    "credential": lambda things: things.account.credential,
}


@pytest.mark.parametrize("model", SCOPED)
def test_admin_does_not_show_rows_of_a_foreign_account(model: str, own: Things, foreign: Things) -> None:
    ours, theirs = SCOPED[model](own), SCOPED[model](foreign)
    client, changelist = signed_in("admin", own), f"/admin/commands/{model}/"
    unknown = str(uuid4()) if isinstance(ours.pk, UUID) else "999999"
    for query in ({}, {"q": DEVICE}, {"q": EMAIL}, {"q": "of foreign"}):
        listed = Page.of(client.get(changelist, query))
        assert not listed.select(f"a[href^='{changelist}{theirs.pk}/change/']")
        assert "Foreign" not in listed.html
    assert Page.of(client.get(changelist)).select(f"a[href^='{changelist}{ours.pk}/change/']")
    for act in ("change", "history", "delete"):
        hidden, absent = (client.get(f"{changelist}{pk}/{act}/") for pk in (theirs.pk, unknown))
        assert hidden.status_code == absent.status_code != 200, act
    assert client.get(f"{changelist}{ours.pk}/change/").status_code == 200
    assert client.post(f"{changelist}{theirs.pk}/change/", {"name": "mine"}).status_code != 200


def test_superusers_and_administrators_of_every_account_see_all_rows(own: Things, foreign: Things) -> None:
    make_group("all", administer=True)
    everywhere = person("admin", own.account)
    everywhere.groups.add(Group.objects.get(name="all"))
    root = make_person("root", is_staff=True)
    User.objects.filter(pk=root.pk).update(is_superuser=True)
    for viewer in (everywhere, root):
        client = Client()
        client.force_login(viewer)
        listed = Page.of(client.get("/admin/commands/command/"))
        for things in (own, foreign):
            assert listed.select(f"a[href^='/admin/commands/command/{things.command_id}/change/']")


def test_administrator_of_one_account_cannot_get_rights_in_another(own: Things, foreign: Things) -> None:
    client = signed_in("admin", own)
    admin, group = User.objects.get(username="admin"), Group.objects.get(name="admin there")
    shipped = Group.objects.get(name=ADMIN_GROUP)
    grants = {"grants-TOTAL_FORMS": 1, "grants-INITIAL_FORMS": 0, "grants-0-account": "", "grants-0-administer": "on"}
    posts = {
        f"/admin/commands/user/{admin.pk}/change/": {"username": "admin", "is_active": "on", "groups": shipped.pk},
        f"/admin/auth/group/{group.pk}/change/": {"name": group.name, **grants},
        "/admin/auth/group/add/": {"name": "mine", **grants},
        "/admin/commands/user/add/": {"username": "twin", "usable_password": "false"},
        "/admin/commands/account/add/": {"name": "mine", "cloudflare_id": "b" * 32, "dialect": "auto"},
    }
    for path, given in posts.items():
        assert client.post(path, given).status_code == 403, path
    changed = {"name": "Own", "dialect": "auto", "credential": foreign.account.credential_id}
    client.post(f"/admin/commands/account/{own.account.pk}/change/", changed)
    own.account.refresh_from_db()
    assert own.account.credential_id != foreign.account.credential_id
    assert "Foreign" not in Page.of(client.get("/admin/auth/group/")).html


def _admin_path(name: str, pattern: URLPattern, object_id: str) -> str:
    """Return an address of the admin. Rights are checked before the object, so any object serves."""
    parts = name.removeprefix("admin:").split("_")
    fixed = {"app_list": "commands/", "view_on_site": "r/1/1/", "index": "", "": "x/"}
    rest = name.removeprefix("admin:")
    if rest in fixed:
        return f"/admin/{fixed[rest]}"
    if parts[-1] in _OF_AN_OBJECT and len(parts) > 2:
        app, model = parts[:2]
        owner = {"user": "commands"}.get(model, app)
        end = {"changelist": "", "add": "add/"}.get(parts[-1], f"{object_id}/{parts[-1]}/")
        return f"/admin/{owner}/{model}/{end}"
    return f"/admin/{rest}/"


_OF_AN_OBJECT = {"changelist", "add", "history", "delete", "change"}
