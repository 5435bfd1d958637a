"""Banners after a listing that really failed."""

import socket
from typing import Any

import pytest
from django.test import Client

from commands import tasks
from commands.actions.listing import sync as syncing
from tests.actions import conftest as fixtures
from tests.actions.world import World
from tests.people import make_person

pytestmark = pytest.mark.django_db

_running, world = fixtures._running, fixtures.world


def test_refused_connection_has_a_banner(world: World, settings: Any) -> None:
    account = world.account
    world.ask()
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/client/v4"
    client = Client()
    client.force_login(make_person("hanna", "helpdesk"))
    settings.UPSTREAM = type(settings.UPSTREAM)("simulator", address, True, "x", token="y")
    tasks.sync_account(str(account.id))
    text = client.get(f"/frame?account={account.id}").text
    assert "Problem with listing commands." in text
    assert "Last successful sync:" in text


def test_list_that_cannot_be_processed_is_not_blamed_on_cloudflare(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = world.account
    world.ask()

    def broken(*_: object, **__: object) -> None:
        raise TypeError

    monkeypatch.setattr(syncing, "apply", broken)
    tasks.sync_account(str(account.id))
    client = Client()
    client.force_login(make_person("hanna", "helpdesk"))
    text = client.get(f"/frame?account={account.id}").text
    assert "Problem with listing commands." in text
    assert "list could not be processed" in text
    assert "<strong>Cloudflare is down" not in text
