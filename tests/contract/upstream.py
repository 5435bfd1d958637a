"""Where the contract tests send their calls, and what they may do there."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

SIMULATOR, ACCOUNT = "simulator", "account"
_NEEDED = ("CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_API_TOKEN")
_TO_CREATE = ("DEXPORTAL_VERIFY_DEVICE", "DEXPORTAL_VERIFY_EMAIL")
_API = "https://api.cloudflare.com/client/v4"


@dataclass(frozen=True)
class Target:
    """The registration on which commands may be created."""

    device_id: str
    user_email: str
    registration_id: str = ""


@dataclass(frozen=True)
class Upstream:
    """`patience` is how long a command may take to end, `pause` the time between two looks; both in seconds."""

    base_url: str
    account_id: str
    token: str
    target: Target | None
    patience: float
    pause: float


def real_account(environment: Mapping[str, str] = os.environ) -> Upstream | None:
    """None where the environment does not name one."""
    if missing(environment):
        return None
    device, email = (environment.get(name, "") for name in _TO_CREATE)
    return Upstream(
        base_url=environment.get("CLOUDFLARE_API_URL") or _API,
        account_id=environment["CLOUDFLARE_ACCOUNT_ID"],
        token=environment["CLOUDFLARE_API_TOKEN"],
        target=Target(device, email) if device and email else None,
        patience=1800.0,
        pause=15.0,
    )


def missing(environment: Mapping[str, str] = os.environ) -> list[str]:
    return [name for name in _NEEDED if not environment.get(name)]


def not_collected(environment: Mapping[str, str] = os.environ) -> str | None:
    """The line that says what of `pytest -m verification` cannot run here."""
    if names := missing(environment):
        return f"tests/contract against a real account is not collected: {', '.join(names)} not set"
    if names := [name for name in _TO_CREATE if not environment.get(name)]:
        return f"tests/contract creates nothing in the real account: {', '.join(names)} not set"
    return None


def names(*, creates: bool, environment: Mapping[str, str] = os.environ) -> list[str]:
    """The upstreams that a test can run against here."""
    account = real_account(environment)
    allowed = account is not None and (account.target is not None or not creates)
    return [SIMULATOR, ACCOUNT] if allowed else [SIMULATOR]
