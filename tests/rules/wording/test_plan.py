"""Plans as people read them."""

from dataclasses import replace
from datetime import timedelta

import pytest

from commands.rules.kinds import Kind
from commands.rules.plan import PlanQuota, TargetFacts, Verdict
from commands.rules.wording.plan import LABELS, SENTENCES, describe_cost, describe_line, describe_skipped
from tests.rules.test_plan import LAPTOP, NOW, UNLISTED, fleet, laptop, planned

BOTH = (Kind.WARP_DIAG, Kind.PCAP)


def described(facts: TargetFacts, *kinds: Kind, quota: PlanQuota = PlanQuota()) -> str:  # noqa: B008 (frozen)
    (line,) = planned(facts, kinds=kinds or (Kind.PCAP,), quota=quota).lines
    return describe_line(line)


def test_every_verdict_has_a_sentence_and_a_label() -> None:
    assert set(Verdict) <= set(SENTENCES)
    assert set(LABELS) == set(Verdict)


@pytest.mark.parametrize(
    ("age", "sentence"),
    [
        (timedelta(minutes=61), "offline for 1 h"),
        (timedelta(hours=3, minutes=50), "offline for 3 h"),
        (timedelta(days=2), "offline for 2 d"),
    ],
)
def test_offline_device_tells_for_how_long(age: timedelta, sentence: str) -> None:
    assert described(laptop(seen_at=NOW - age)) == sentence
    assert described(laptop(seen_at=None)) == "offline, never connected so far"


def test_other_verdicts_tell_why() -> None:
    assert described(LAPTOP) == "ready"
    assert described(UNLISTED) == "not verified: Cloudflare doesn't list it"
    assert described(laptop("laptop", "", machine_registrations=2)) == "shared device: say which user"
    assert described(laptop(eligible=False)) == "not supported"
    assert described(laptop(eligible=False, ineligible_reason="mode {x}")) == "not supported: mode {x}"
    old = "update needed: client 2024.9.1.0, needs 2024.12.492.0"
    assert described(laptop(client_version="2024.9.1.0")) == old
    assert described(laptop(open_kinds={Kind.PCAP})) == "waits for the packet capture already running"


def test_kinds_of_one_device_are_described_together() -> None:
    assert described(replace(LAPTOP, platform="mac"), *BOTH) == "ready"
    assert described(LAPTOP, *BOTH) == "ready (diag first, then capture)"
    assert described(LAPTOP, *BOTH, quota=PlanQuota(9, 10)) == "ready; Packet capture: over today's quota"
    assert described(laptop(eligible=False), *BOTH) == "not supported"
    busy = laptop(platform="mac", open_kinds={Kind.PCAP})
    assert described(busy, *BOTH) == "ready; Packet capture: waits for the packet capture already running"


def test_skipped_devices_are_named_with_their_reasons_up_to_a_limit() -> None:
    lines = planned(*(laptop(f"laptop-{number}", eligible=False) for number in range(3))).skipped
    assert describe_skipped(lines, most=2) == (
        "laptop-0 (maria@example.com): not supported; laptop-1 (maria@example.com): not supported and 1 more"
    )


def test_cost_names_calls_and_the_known_part_of_the_quota() -> None:
    assert describe_cost(planned(*fleet(20))) == "2 calls to Cloudflare"
    assert describe_cost(planned(*fleet(20), quota=PlanQuota(5))) == "2 calls to Cloudflare · quota 5 → 25"
    assert describe_cost(planned(*fleet(1), quota=PlanQuota(37, 200))) == (
        "1 call to Cloudflare · quota 37 → 38 of 200"
    )
