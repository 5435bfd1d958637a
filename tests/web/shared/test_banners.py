"""Banners after a listing that really failed."""

import socket
from typing import Any

import pytest
from django.test import Client

from commands import tasks
from commands.actions.listing import sync as syncing
from commands.models import Account
from tests.actions import conftest as fixtures
from tests.actions.world import World
from tests.html import Page
from tests.people import make_person

pytestmark = pytest.mark.django_db

_running, world = fixtures._running, fixtures.world


def listing_banner_after_sync(account: Account) -> str:
    """Sync the account once, and return the banner about its listing. No worker is running, so there are others."""
    tasks.sync_account(str(account.id))
    client = Client()
    client.force_login(make_person("hanna", "helpdesk"))
    banners = Page.of(client.get(f"/frame?account={account.id}")).texts("[data-testid=banner]")
    [banner] = [text for text in banners if text.startswith("Problem with listing commands.")]
    return banner


def test_refused_connection_has_a_banner(world: World, settings: Any) -> None:
    account = world.account
    world.request()
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"http://127.0.0.1:{server.getsockname()[1]}/client/v4"
    settings.UPSTREAM = type(settings.UPSTREAM)("simulator", address, True, "x", token="y")
    assert "Last successful sync:" in listing_banner_after_sync(account)


def test_list_that_cannot_be_processed_is_not_blamed_on_cloudflare(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    account = world.account
    world.request()

    def broken(*_: object, **__: object) -> None:
        raise TypeError

    monkeypatch.setattr(syncing, "apply", broken)
    assert "list could not be processed" in listing_banner_after_sync(account)
