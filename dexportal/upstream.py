"""Upstream of this portal: either the simulator, or the Cloudflare API with real credentials. Never both."""

from dataclasses import dataclass, field
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from dexportal import env

SIMULATOR_ACCOUNT = "0123456789abcdef0123456789abcdef"
SIMULATOR_TOKEN = "simulator-token-not-a-secret"  # noqa: S105 - the simulator prints it too


@dataclass(frozen=True, slots=True)
class Upstream:
    """Address and credentials of the upstream. Accounts store its `name`: "simulator", or the address of the API."""

    name: str
    url: str
    is_simulator: bool
    account_id: str
    token: str = field(default="", repr=False)
    email: str = ""
    api_key: str = field(default="", repr=False)


def simulator_url_file(var: Path) -> Path:
    """Return the file with the address of the simulator that `make run` started. Commands in other shells read it."""
    return var / "simulator_url"


def from_environment(var: Path) -> Upstream:
    account_id = env.text("CLOUDFLARE_ACCOUNT_ID").lower()
    token, email, key = (env.text(f"CLOUDFLARE_{part}") for part in ("API_TOKEN", "EMAIL", "API_KEY"))
    if not (account_id or token or email or key):
        file = simulator_url_file(var)
        running = file.read_text().strip() if file.is_file() else ""
        url = env.web_address("SIMULATOR_URL", running or "http://127.0.0.1:8787/client/v4")
        return Upstream("simulator", url, True, SIMULATOR_ACCOUNT, token=SIMULATOR_TOKEN)
    if not account_id or not (token or (email and key)):
        raise ImproperlyConfigured(
            "Set CLOUDFLARE_ACCOUNT_ID together with CLOUDFLARE_API_TOKEN, "
            "or together with CLOUDFLARE_EMAIL and CLOUDFLARE_API_KEY."
        )
    url = env.web_address("CLOUDFLARE_API_URL", "https://api.cloudflare.com/client/v4")
    return Upstream(url, url, False, account_id, token=token, email=email, api_key=key)
