"""Matching of fault rules to requests, and of requests to routes."""

from simulator.faults import Faults
from simulator.routes import Call, match_route

CREATE = Call("create", "POST", "/client/v4/accounts/a/dex/commands", "a")
LIST = Call("list", "GET", "/client/v4/accounts/a/dex/commands", "a")


def faults(*matches: dict[str, object], seed: int = 0) -> Faults:
    return Faults.from_json(
        {"seed": seed, "rules": [{"match": match, "effect": {"kind": "hang"}} for match in matches]}
    )


def hits(rules: Faults, call: Call, times: int) -> list[int]:
    return [len(rules.pick(call)) for _ in range(times)]


def test_rule_without_conditions_hits_every_request() -> None:
    assert hits(faults({}), LIST, 3) == [1, 1, 1]


def test_rule_can_match_by_call_method_path_and_account() -> None:
    matches: list[dict[str, object]] = [{"call": "create"}, {"method": "POST"}]
    for match in matches:
        assert (hits(faults(match), CREATE, 1), hits(faults(match), LIST, 1)) == ([1], [0])
    assert hits(faults({"path": r"/accounts/a/.*commands$"}, {"path": "downloads"}), LIST, 1) == [1]
    assert hits(faults({"account_id": "a"}, {"account_id": "b"}), LIST, 1) == [1]


def test_nth_hits_one_matching_request_and_count_limits_the_hits() -> None:
    assert hits(faults({"nth": 2}), LIST, 4) == [0, 1, 0, 0]
    assert hits(faults({"count": 2}), LIST, 4) == [1, 1, 0, 0]
    other_calls = faults({"call": "create", "nth": 1})
    assert hits(other_calls, LIST, 3) == [0, 0, 0]
    assert hits(other_calls, CREATE, 2) == [1, 0]


def test_probability_is_reproducible_by_its_seed() -> None:
    first = hits(faults({"probability": 0.3}, seed=5), LIST, 300)
    assert first == hits(faults({"probability": 0.3}, seed=5), LIST, 300)
    assert first != hits(faults({"probability": 0.3}, seed=6), LIST, 300)
    assert 60 < sum(first) < 120


def test_exported_rules_have_counters_and_can_be_imported() -> None:
    rules = faults({"nth": 2})
    hits(rules, LIST, 3)
    exported = rules.to_json()
    assert (rules.rules[0].seen, rules.rules[0].applied) == (3, 1)
    assert Faults.from_json(exported).rules[0].match == rules.rules[0].match


def test_only_known_routes_are_calls() -> None:
    base = "/client/v4/accounts/a/dex"
    assert match_route("POST", f"{base}/commands").name == "create"
    assert match_route("GET", f"{base}/commands/c/downloads/c.zip").filename == "c.zip"
    assert match_route("GET", f"{base}/devices/d/commands/downloads/c.zip").command_id == "c"
    assert match_route("DELETE", f"{base}/commands").name == ""
    assert match_route("GET", f"{base}/commands/c").name == ""
