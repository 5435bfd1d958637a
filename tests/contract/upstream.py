"""Upstreams of the contract tests, and the permission to create commands there."""

import os
from collections.abc import Mapping
from dataclasses import dataclass

SIMULATOR, ACCOUNT = "simulator", "account"
_REQUIRED_VARIABLES = ("CLOUDFLARE_ACCOUNT_ID", "CLOUDFLARE_API_TOKEN")
_TARGET_VARIABLES = ("DEXPORTAL_VERIFY_DEVICE", "DEXPORTAL_VERIFY_EMAIL")
_API = "https://api.cloudflare.com/client/v4"


@dataclass(frozen=True)
class Target:
    """Registration on which the tests may create commands."""

    device_id: str
    user_email: str
    registration_id: str = ""


@dataclass(frozen=True)
class Upstream:
    """Address and credential of one upstream.

    `patience` is the longest time that a command may take to end, `pause` the time between two polls, both in seconds.
    """

    base_url: str
    account_id: str
    token: str
    target: Target | None
    patience: float
    pause: float


def real_account(environment: Mapping[str, str] = os.environ) -> Upstream | None:
    """Read the real account from the environment, or return None if it is not configured."""
    if missing_variables(environment):
        return None
    device, email = (environment.get(name, "") for name in _TARGET_VARIABLES)
    return Upstream(
        base_url=environment.get("CLOUDFLARE_API_URL") or _API,
        account_id=environment["CLOUDFLARE_ACCOUNT_ID"],
        token=environment["CLOUDFLARE_API_TOKEN"],
        target=Target(device, email) if device and email else None,
        patience=1800.0,
        pause=15.0,
    )


def missing_variables(environment: Mapping[str, str] = os.environ) -> list[str]:
    return [name for name in _REQUIRED_VARIABLES if not environment.get(name)]


def uncollected_notice(environment: Mapping[str, str] = os.environ) -> str | None:
    """Return a sentence about the tests that `pytest -m verification` cannot run here, or None if all can run."""
    if absent := missing_variables(environment):
        return f"tests/contract against a real account is not collected: {', '.join(absent)} not set"
    if absent := [name for name in _TARGET_VARIABLES if not environment.get(name)]:
        return f"tests/contract creates nothing in the real account: {', '.join(absent)} not set"
    return None


def available_upstreams(*, creates: bool, environment: Mapping[str, str] = os.environ) -> list[str]:
    """Return the names of the upstreams that a test can run against. `creates`: the test creates commands."""
    account = real_account(environment)
    allowed = account is not None and (account.target is not None or not creates)
    return [SIMULATOR, ACCOUNT] if allowed else [SIMULATOR]
