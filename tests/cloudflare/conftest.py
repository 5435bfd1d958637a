"""Servers and clients for the tests of the Cloudflare client, over real sockets."""

import datetime
import ipaddress
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from commands.cloudflare.auth import TokenAuth
from commands.cloudflare.client import Client
from commands.cloudflare.types import ClientLimits
from tests.cloudflare.raw_server import RawServer, Reply
from tests.polling import MAX_WAIT

ACCOUNT = "01a7362d577a6c3019a474fd6f485823"
TOKEN = "tok-Sn3lZJTBX6kkg7Od-invented"
# Long time-outs, so that no test fails on a busy machine. Tests that wait for a time-out use a limit of their own.
LIMITS = ClientLimits(
    connect_timeout=MAX_WAIT,
    read_timeout=MAX_WAIT,
    deadline=MAX_WAIT,
    create_deadline=MAX_WAIT,
    download_deadline=MAX_WAIT,
    tries=1,
    max_response_bytes=100_000,
    max_artifact_bytes=300_000,
    max_pages=5,
)
# Short, but long enough to connect and send first, also on a loaded machine.
SHORT_READ_TIMEOUT = replace(LIMITS, read_timeout=2)
SHORT_DEADLINE = replace(LIMITS, deadline=2, create_deadline=2, download_deadline=2)
RETRYING = replace(LIMITS, tries=3)

type Serve = Callable[..., RawServer]
type Connect = Callable[..., Client]


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as exit_stack:
        yield exit_stack


@pytest.fixture
def serve(stack: ExitStack) -> Serve:
    def start(*replies: Reply, tls: ssl.SSLContext | None = None) -> RawServer:
        return stack.enter_context(RawServer(*replies, tls=tls))

    return start


@pytest.fixture
def connect(stack: ExitStack) -> Connect:
    def start(upstream: RawServer | str, **options: Any) -> Client:
        url = upstream if isinstance(upstream, str) else upstream.url
        defaults: dict[str, Any] = {
            "auth": TokenAuth(TOKEN),
            "limits": LIMITS,
            "sleep": lambda _: None,
            "random": lambda: 0.5,
        }
        return stack.enter_context(Client(url, ACCOUNT, **(defaults | options)))

    return start


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write a self-signed certificate for 127.0.0.1 and its key to one PEM file."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = tmp_path_factory.mktemp("tls") / "server.pem"
    path.write_bytes(
        signed.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return path


@pytest.fixture
def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context
