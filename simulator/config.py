"""Configuration of the simulated world: accounts, pace, and the behaviours that Cloudflare leaves open.

This module only holds and validates values. Nothing here acts on them.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from simulator.json_input import BadInputError, as_list, as_object, replace_fields

DEFAULT_ACCOUNT_ID = "0123456789abcdef0123456789abcdef"
DEFAULT_TOKEN = "simulator-token-not-a-secret"  # noqa: S105  # public on purpose: it only opens a simulator on 127.0.0.1

DEX_WRITE = "Cloudflare DEX Write"
DEX_READ = "Cloudflare DEX Read"
READ_PERMISSIONS = frozenset({DEX_WRITE, DEX_READ, "Zero Trust Read", "Zero Trust Report"})

KINDS = ("pcap", "warp-diag", "speed-test")

# allowed values of the fields that are a choice
CHOICES: dict[str, tuple[str, ...]] = {
    "dialect": ("both", "current", "legacy"),
    "rejection": ("all", "item"),
    "sort": ("newest", "oldest"),
    "range_ends": ("inclusive", "exclusive"),
    "quota_means": ("total", "remaining"),
}
POSITIVE = ("speed", "rate_limit", "rate_window", "quota_day", "expiry", "people")


@dataclass(frozen=True, slots=True)
class AccountConfig:
    account_id: str
    token: str
    email: str = ""
    api_key: str = ""
    quota: int = 200
    permissions: tuple[str, ...] = (DEX_WRITE, DEX_READ)


@dataclass(frozen=True, slots=True)
class Config:
    """All settings of one simulator. `docs/simulator.md` describes each field.

    Durations are in simulated seconds: `speed` divides them.
    """

    accounts: tuple[AccountConfig, ...]
    seed: int = 1
    speed: float = 1.0
    people: int = 40
    dialect: str = "both"
    rejection: str = "all"
    shuffle_answer: bool = False
    sort: str = "newest"
    range_ends: str = "inclusive"
    enforce_ceilings: bool = True
    windows_captures: tuple[str, ...] = ("pcap",)
    failure_share: float = 0.0
    offline_timeout: float = 600.0
    expiry: float = 7 * 86400.0
    quota_day: float = 86400.0
    quota_status: int = 400
    quota_means: str = "total"
    rate_limit: int = 1200
    rate_window: float = 300.0
    clock_offset: float = 0.0
    shared_artifacts: int = 0
    artifact_cache_bytes: int = 64 * 1024 * 1024

    def to_json(self) -> dict[str, object]:
        return asdict(self)

    def with_changes(self, changes: Mapping[str, object]) -> Config:
        """Copy the configuration with the given fields changed. BadInputError names a field that is wrong."""
        scalars = dict(changes)
        accounts = self.accounts
        if "accounts" in scalars:
            accounts = _accounts(scalars.pop("accounts"))
        config = replace_fields(self, scalars, "config")
        for name, allowed in CHOICES.items():
            if getattr(config, name) not in allowed:
                raise BadInputError(f"config.{name}: one of {', '.join(allowed)} is needed")
        for name in POSITIVE:
            if getattr(config, name) <= 0:
                raise BadInputError(f"config.{name}: a number above 0 is needed")
        return replace(config, accounts=accounts)


def _accounts(value: object) -> tuple[AccountConfig, ...]:
    accounts = []
    for index, item in enumerate(as_list(value, "config.accounts")):
        name = f"config.accounts[{index}]"
        account = replace_fields(AccountConfig(account_id="", token=""), as_object(item, name), name)
        if not 1 <= len(account.account_id) <= 32:
            raise BadInputError(f"{name}.account_id: 1 to 32 characters are needed")
        if not account.token and not (account.email and account.api_key):
            raise BadInputError(f"{name}: a token, or email and api_key, is needed")
        accounts.append(account)
    if not accounts:
        raise BadInputError("config.accounts: at least one is needed")
    if len({account.account_id for account in accounts}) != len(accounts):
        raise BadInputError("config.accounts: an account_id appears twice")
    return tuple(accounts)


def default_accounts(count: int) -> tuple[AccountConfig, ...]:
    """Build `count` accounts. Each derives from its number, so that ids and tokens are the same in every run."""
    first = AccountConfig(DEFAULT_ACCOUNT_ID, DEFAULT_TOKEN, "simulator@example.com", f"{DEFAULT_TOKEN}-key")
    return (first, *(_numbered_account(number) for number in range(2, count + 1)))


def _numbered_account(number: int) -> AccountConfig:
    account_id = hashlib.sha256(f"simulated account {number}".encode()).hexdigest()[:32]
    token = f"{DEFAULT_TOKEN}-{number}"
    return AccountConfig(account_id, token, f"simulator-{number}@example.com", f"{token}-key")
