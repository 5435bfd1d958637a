"""What can be set in the simulated world, typed and frozen. Holds values only; nothing here acts on them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace

from simulator.typed import BadInputError, as_list, as_object, overlay

DEFAULT_ACCOUNT_ID = "0123456789abcdef0123456789abcdef"
DEFAULT_TOKEN = "simulator-token-not-a-secret"  # noqa: S105  # fixed and public: it opens a loopback toy

DEX_WRITE = "Cloudflare DEX Write"
DEX_READ = "Cloudflare DEX Read"
READERS = frozenset({DEX_WRITE, DEX_READ, "Zero Trust Read", "Zero Trust Report"})

KINDS = ("pcap", "warp-diag", "speed-test")

# Every knob that takes one of a few words.
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
    """Durations are in simulated seconds: `speed` divides them. `docs/simulator.md` tells what each knob does."""

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

    def changed(self, changes: Mapping[str, object]) -> Config:
        """A new config; BadInputError names the field that cannot be used."""
        rest = dict(changes)
        accounts = self.accounts
        if "accounts" in rest:
            accounts = _accounts(rest.pop("accounts"))
        config = overlay(self, rest, "config")
        for name, words in CHOICES.items():
            if getattr(config, name) not in words:
                raise BadInputError(f"config.{name}: one of {', '.join(words)} is needed")
        for name in POSITIVE:
            if getattr(config, name) <= 0:
                raise BadInputError(f"config.{name}: a number above 0 is needed")
        return replace(config, accounts=accounts)


def _accounts(value: object) -> tuple[AccountConfig, ...]:
    accounts = []
    for index, item in enumerate(as_list(value, "config.accounts")):
        name = f"config.accounts[{index}]"
        account = overlay(AccountConfig(account_id="", token=""), as_object(item, name), name)
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
    """The first is always the fixed one; the rest derive from their number, so that they never change."""
    first = AccountConfig(DEFAULT_ACCOUNT_ID, DEFAULT_TOKEN, "simulator@example.com", f"{DEFAULT_TOKEN}-key")
    return (first, *(_numbered_account(number) for number in range(2, count + 1)))


def _numbered_account(number: int) -> AccountConfig:
    account_id = hashlib.sha256(f"simulated account {number}".encode()).hexdigest()[:32]
    token = f"{DEFAULT_TOKEN}-{number}"
    return AccountConfig(account_id, token, f"simulator-{number}@example.com", f"{token}-key")
