"""Client addresses and protocol behind trusted proxies, and without one."""

from ipaddress import ip_address, ip_network
from typing import Any

import pytest
from django.http import HttpRequest, HttpResponse
from django.test import RequestFactory
from pytest_django import Settings

from dexportal import env
from dexportal.middleware import TrustedProxies


@pytest.fixture(autouse=True)
def _behind_a_proxy(settings: Settings) -> None:
    settings.TRUSTED_PROXIES = (ip_network("192.0.2.0/24"), ip_network("2001:db8::/32"))
    settings.ALLOWED_HOSTS = ["dex.example.com"]


def through(**meta: Any) -> HttpRequest:
    request = RequestFactory().get("/", **meta)
    TrustedProxies(lambda _request: HttpResponse())(request)
    return request


@pytest.mark.parametrize(
    ("peer", "chain", "client"),
    [
        ("192.0.2.1", "198.51.100.7", "198.51.100.7"),
        ("192.0.2.1", "203.0.113.9, 198.51.100.7", "198.51.100.7"),  # what the client itself claims is not believed
        ("192.0.2.1", "198.51.100.7, 192.0.2.9", "198.51.100.7"),  # two proxies of ours
        ("2001:db8::1", "2001:db9::7", "2001:db9::7"),
        ("::ffff:192.0.2.1", "198.51.100.7", "198.51.100.7"),  # as a socket of both families names it
        ("192.0.2.1", "198.51.100.7, ::ffff:192.0.2.9", "198.51.100.7"),
        ("192.0.2.1", "::ffff:198.51.100.7", "198.51.100.7"),
        ("::ffff:203.0.113.5", "198.51.100.7", "203.0.113.5"),
        ("192.0.2.1", "", "192.0.2.1"),
        ("192.0.2.1", "192.0.2.8", "192.0.2.1"),
        ("192.0.2.1", "198.51.100.7:4711", "198.51.100.7"),
        ("192.0.2.1", "[2001:db9::7]:4711", "2001:db9::7"),
        ("192.0.2.1", "[2001:db9::7]", "2001:db9::7"),
        ("192.0.2.1", "203.0.113.9, 198.51.100.7:4711, 192.0.2.9:80", "198.51.100.7"),
        ("203.0.113.5", "198.51.100.7", "203.0.113.5"),
        ("", "198.51.100.7", ""),
    ],
)
def test_client_is_the_nearest_address_that_is_not_a_trusted_proxy(peer: str, chain: str, client: str) -> None:
    request = through(REMOTE_ADDR=peer, HTTP_X_FORWARDED_FOR=chain)
    assert request.META["REMOTE_ADDR"] == client
    assert "HTTP_X_FORWARDED_FOR" not in request.META


@pytest.mark.parametrize(
    "hop", ["unknown", "nonsense", "_hidden", "127.0.0.1:x", "[::1", "::1]:80", "10.0.0.1:80:80", "é"]
)
def test_unreadable_hop_is_never_a_local_or_private_address_and_no_bucket_for_all(hop: str) -> None:
    clients = [
        ip_address(through(REMOTE_ADDR="192.0.2.1", HTTP_X_FORWARDED_FOR=chain).META["REMOTE_ADDR"])
        for chain in (hop, f"203.0.113.9, {hop}", f"203.0.113.8, {hop}", f"127.0.0.1, {hop}")
    ]
    assert len(set(clients)) == len(clients)
    assert not any(address.is_loopback or address.is_private or address.is_link_local for address in clients)
    assert not any(address in network for address in clients for network in (ip_network("192.0.2.0/24"),))


def test_proxy_can_be_configured_in_either_address_form(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRUSTED_PROXIES", "::ffff:192.0.2.0/120, ::ffff:198.51.100.7, 2001:db8::/32, ::/0")
    named = [str(network) for network in env.networks("TRUSTED_PROXIES")]
    assert named == ["192.0.2.0/24", "198.51.100.7/32", "2001:db8::/32", "::/0"]


@pytest.mark.parametrize(
    ("peer", "proto", "secure"),
    [
        ("192.0.2.1", "https", True),
        ("192.0.2.1", "http", False),
        ("192.0.2.1", "https, http", False),
        ("203.0.113.5", "https", False),
    ],
)
def test_only_a_trusted_proxy_can_mark_a_request_as_https(peer: str, proto: str, secure: bool) -> None:
    assert through(REMOTE_ADDR=peer, HTTP_X_FORWARDED_PROTO=proto).is_secure() is secure


def test_host_cannot_be_set_by_a_forwarded_header() -> None:
    request = through(REMOTE_ADDR="192.0.2.1", HTTP_X_FORWARDED_HOST="evil.example.org", HTTP_HOST="dex.example.com")
    assert request.get_host() == "dex.example.com"
    assert "HTTP_X_FORWARDED_HOST" not in request.META
