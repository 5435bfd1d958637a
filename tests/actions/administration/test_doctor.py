"""Checks of manage.py doctor: each failure is reported with advice, and no secret is printed."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage
from django.core.management import call_command
from django.utils import timezone

from commands import clock
from commands.actions.administration import doctor, heartbeats
from commands.models import Account, CallBudget, Heartbeat, User
from simulator.config import DEFAULT_ACCOUNT_ID, DEFAULT_TOKEN, DEX_READ
from tests.actions.world import World
from tests.dexportal.portals import run
from tests.people import make_person
from tests.polling import MAX_WAIT

pytestmark = pytest.mark.django_db

PASSWORD_OF_MAIL = "a-word-for-mail"


@pytest.fixture(autouse=True)
def _all_running(db: None) -> None:
    heartbeats.beat(*Heartbeat.Role, now=clock.database_now())


@pytest.fixture(autouse=True)
def _administrator(db: None) -> None:
    make_person("ada", "admin")


@pytest.fixture(autouse=True)
def _mail_in_memory(settings: Any) -> None:
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.locmem.EmailBackend"}}


def _run() -> tuple[int, str]:
    """Run the command. Returns its exit status and output."""
    output = StringIO()
    try:
        call_command("doctor", stdout=output)
    except SystemExit as left:
        return int(str(left.code)), output.getvalue()
    return 0, output.getvalue()


def _failed() -> dict[str, doctor.CheckResult]:
    """Return the failed checks by subject."""
    return {finding.subject: finding for finding in doctor.examine(now=timezone.now) if not finding.is_ok}


def test_all_checks_pass_and_nothing_is_created(world: World) -> None:
    assert world.account
    status, output = _run()
    assert (status, output.splitlines()[-1]) == (0, "All checks passed.")
    for expected in ("database", "storage", "spool", "broker", "email", "list commands", "clock: ", "list devices",
                  "read the quota", "download results", "create commands"):  # fmt: skip
        assert expected in output
    assert world.created() == []
    assert list(world.pauses()) == []


def test_only_post_carries_no_command(world: World) -> None:
    assert world.account
    _run()
    assert [(post["items"], post["outcome"]) for post in world.posts()] == [(None, "refused")]


def test_read_only_token_fails_only_the_check_of_creating(world: World) -> None:
    read = {"account_id": DEFAULT_ACCOUNT_ID, "token": DEFAULT_TOKEN, "permissions": [DEX_READ]}
    world.configure(accounts=[read])
    assert world.account
    status, output = _run()
    assert status == 1
    assert output.count("FAIL") == 1
    assert "can't create commands" in output
    assert "the permission: Cloudflare DEX Write." in output


def test_wrong_token_fails_every_call_and_is_never_printed(world: World) -> None:
    token = "this-token-is-wrong-and-secret"
    world.configure(accounts=[{"account_id": DEFAULT_ACCOUNT_ID, "token": "another"}])
    assert world.account.credential is not None
    type(world.account.credential).objects.update(secret=token)
    status, output = _run()
    assert (status, output.count("can't")) == (1, 5)
    assert token not in output
    assert DEFAULT_TOKEN not in output


def test_unreachable_upstream_is_reported_once(world: World, settings: Any) -> None:
    assert world.account
    settings.UPSTREAM = type(settings.UPSTREAM)("simulator", "http://127.0.0.1:1/client/v4", False, "x", token="y")
    failed = _failed()
    assert list(failed) == ["account Acme"]
    assert "DNS, proxy and firewall on the way to 127.0.0.1" in failed["account Acme"].advice


def test_missing_simulator_gets_advice_without_firewalls(world: World, settings: Any) -> None:
    assert world.account
    settings.UPSTREAM = type(settings.UPSTREAM)("simulator", "http://127.0.0.1:1/client/v4", True, "x", token="y")
    finding = _failed()["account Acme"]
    assert "DNS" not in finding.advice
    assert "make run" in finding.advice


def test_wrong_clock_is_reported_with_its_direction(world: World) -> None:
    assert world.account
    world.configure(clock_offset=120)
    _, output = _run()
    assert "clock: ours is 120 s behind Cloudflare's" in output or "clock: ours is 119 s behind Cloudflare's" in output
    world.configure(clock_offset=-120)
    assert "ahead of Cloudflare's" in _run()[1]


def test_clock_that_differs_from_the_database_is_reported(world: World) -> None:
    assert world.account
    problems = [
        line for line in doctor.examine(now=lambda: timezone.now() + timedelta(minutes=2)) if line.subject == "database"
    ]
    assert problems[1].message in {f"clock: ours is {seconds} s ahead of the database's" for seconds in (119, 120, 121)}
    assert "NTP" in problems[1].advice


def test_silent_worker_is_reported_unless_it_may_wait_for_the_broker(
    world: World,
) -> None:
    assert world.account
    Heartbeat.objects.filter(role=Heartbeat.Role.TALK).delete()
    assert _failed()["talk"].advice.startswith("Start it")
    Heartbeat.objects.filter(role=Heartbeat.Role.BROKER).delete()
    assert _failed()["talk"].advice == "Fix the broker first."


def test_broker_that_beat_cannot_reach_is_reported_although_it_responds_here(world: World) -> None:
    assert world.account
    assert _failed() == {}
    Heartbeat.objects.filter(role=Heartbeat.Role.BROKER).delete()
    status, output = _run()
    assert (status, "FAIL  broker: accepts no message from beat" in output) == (1, True)


def test_database_without_tables_gets_the_advice_to_migrate(tmp_path: Path) -> None:
    done = run({"VAR_DIR": str(tmp_path)}, "manage.py", "doctor")
    assert "Traceback" not in done.stderr
    assert done.returncode == 1
    assert "FAIL  database: responds, but migrations are missing\n      -> Run manage.py migrate." in done.stdout


def test_rate_limited_credential_is_reported_with_its_time(world: World) -> None:
    assert world.account
    world.fault("throttle", call="list", seconds=60)
    assert "Wait 5 minutes" in _run()[1]
    world.heal()
    CallBudget.objects.update(paused_until=world.now + timedelta(minutes=20), pause_reason_code="rate_limited")
    assert "not reached: " in _run()[1]


def test_credential_that_cannot_be_decrypted_gets_the_advice_to_enter_it_again(world: World, settings: Any) -> None:
    assert world.account
    settings.CREDENTIAL_KEYS = ["ZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmY="]
    assert "Enter the credential again" in _run()[1]


def test_missing_account_is_reported() -> None:
    assert not Account.objects.exists()
    assert _failed()["accounts"].advice.startswith("Add an account")


def test_storage_and_spool_that_are_not_writable_are_reported(world: World, settings: Any, tmp_path: Path) -> None:
    assert world.account
    (tmp_path / "file").write_text("in the way")
    settings.SPOOL_DIR = tmp_path / "file" / "spool"
    settings.STORAGES = {
        **settings.STORAGES,
        "artifacts": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(tmp_path / "file" / "artifacts")},
        },
    }
    assert set(_failed()) == {"storage", "spool"}


def test_disk_without_space_for_the_largest_result_is_reported(world: World, settings: Any) -> None:
    assert world.account
    assert "MB free" in _run()[1]
    settings.ARTIFACT_MAX_BYTES = 10**18
    failed = _failed()
    assert set(failed) == {"storage", "spool"}
    for finding in failed.values():
        assert "a result can have 1000000000000 MB" in finding.message
        assert "Free space" in finding.advice


class Forgetful(FileSystemStorage):
    """Storage that writes other bytes than it was given."""

    def save(self, name: str | None, content: Any, max_length: int | None = None) -> str:
        return super().save(name, ContentFile(b"something else"), max_length)


class Mute(FileSystemStorage):
    def open(self, name: str, mode: str = "rb") -> Any:
        raise PermissionError("GetObject is not allowed")


@pytest.mark.parametrize(("storage", "words"), [(Forgetful, "other bytes"), (Mute, "GetObject")])
def test_storage_that_returns_other_bytes_is_reported(
    world: World, settings: Any, tmp_path: Path, storage: type, words: str
) -> None:
    assert world.account
    artifacts = {"BACKEND": f"{__name__}.{storage.__name__}", "OPTIONS": {"location": str(tmp_path)}}
    settings.STORAGES = {**settings.STORAGES, "artifacts": artifacts}
    assert words in _failed()["storage"].message
    assert not [path for path in tmp_path.rglob("*") if path.is_file() and path.parent.name == "doctor"]


def test_probe_of_downloads_has_a_valid_command_id(world: World) -> None:
    assert world.account
    uuid = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    odd = {"call": "download", "path": f"/commands/(?!{uuid}/)"}
    world.faults({"match": odd, "effect": {"kind": "error", "status": 500}})
    assert _failed() == {}


def test_400_for_the_missing_file_means_that_downloads_are_allowed(world: World) -> None:
    assert world.account
    world.fault("error", call="download", status=400)
    assert _failed() == {}
    world.heal()
    world.fault("error", call="download", status=403)
    assert "can't download results" in _failed()["account Acme"].message


def test_account_without_recipients_is_reported(world: World) -> None:
    assert world.account
    User.objects.filter(username="ada").update(email="")
    finding = _failed()["email"]
    assert "refused Acme" in finding.message
    assert "with an email address" in finding.advice


def test_broker_that_is_down_is_reported_as_a_delay(world: World, settings: Any) -> None:
    assert world.account
    settings.BROKER_URL = "redis://:broker-word@127.0.0.1:1/0"
    finding = _failed()["broker"]
    assert "beat finds all work" in finding.advice
    assert "broker-word" not in finding.advice + finding.message


def test_missing_mail_server_fails_in_production(world: World, settings: Any) -> None:
    assert world.account
    assert "email" not in _failed()
    settings.PRODUCTION = True
    settings.MAILERS = {"default": {"BACKEND": "django.core.mail.backends.console.EmailBackend"}}
    finding = _failed()["email"]
    assert (finding.message, "EMAIL_URL" in finding.advice) == ("prints to: console", True)


def test_mail_server_that_is_down_is_reported(world: World, settings: Any) -> None:
    assert world.account
    settings.MAILERS = _smtp(1)
    finding = _failed()["email"]
    assert finding.advice.startswith("Fix EMAIL_URL")
    assert PASSWORD_OF_MAIL not in finding.message


def test_mail_server_that_refuses_our_sign_in_is_reported(world: World, settings: Any) -> None:
    assert world.account
    with _mail_server() as port:
        settings.MAILERS = _smtp(port)
        assert "not supported" in _failed()["email"].message


def _smtp(port: int) -> dict[str, Any]:
    options = {"host": "127.0.0.1", "port": port, "username": "mail", "password": PASSWORD_OF_MAIL, "timeout": MAX_WAIT}
    return {"default": {"BACKEND": "django.core.mail.backends.smtp.EmailBackend", "OPTIONS": options}}


@contextmanager
def _mail_server() -> Iterator[int]:
    """Serve a mail server that offers no way to sign in."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection, connection.makefile("rwb") as talk:
            talk.write(b"220 mail.example.com\r\n")
            talk.flush()
            while line := talk.readline():
                talk.write(b"221 bye\r\n" if line.upper().startswith(b"QUIT") else b"250 mail.example.com\r\n")
                talk.flush()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        thread.join(MAX_WAIT)
        listener.close()
