"""Which Cloudflare this portal talks to: the simulator, or the API with real credentials. Never both."""

from dataclasses import dataclass, field
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from dexportal import env

SIMULATOR_ACCOUNT = "0123456789abcdef0123456789abcdef"
SIMULATOR_TOKEN = "simulator-token-not-a-secret"  # noqa: S105 - the simulator prints it too


@dataclass(frozen=True, slots=True)
class Upstream:
    """`name` is what an account remembers: "simulator", or the address of the API."""

    name: str
    url: str
    is_simulator: bool
    account_id: str
    token: str = field(default="", repr=False)
    email: str = ""
    api_key: str = field(default="", repr=False)


def simulator_file(var: Path) -> Path:
    """There `make run` leaves the address of the simulator that it has started, for what is started beside it."""
    return var / "simulator_url"


def from_environment(var: Path) -> Upstream:
    account_id = env.text("CLOUDFLARE_ACCOUNT_ID").lower()
    token, email, key = (env.text(f"CLOUDFLARE_{part}") for part in ("API_TOKEN", "EMAIL", "API_KEY"))
    if not (account_id or token or email or key):
        known = simulator_file(var)
        running = known.read_text().strip() if known.is_file() else ""
        url = env.web_address("SIMULATOR_URL", running or "http://127.0.0.1:8787/client/v4")
        return Upstream("simulator", url, True, SIMULATOR_ACCOUNT, token=SIMULATOR_TOKEN)
    if not account_id or not (token or (email and key)):
        raise ImproperlyConfigured(
            "CLOUDFLARE_ACCOUNT_ID must be set together with CLOUDFLARE_API_TOKEN, "
            "or with CLOUDFLARE_EMAIL and CLOUDFLARE_API_KEY."
        )
    url = env.web_address("CLOUDFLARE_API_URL", "https://api.cloudflare.com/client/v4")
    return Upstream(url, url, False, account_id, token=token, email=email, api_key=key)
