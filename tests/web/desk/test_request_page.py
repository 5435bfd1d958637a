"""Request form as people see it: devices to select, the plan, and the confirmation after Run."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from commands.queries.devices import SUGGESTIONS
from commands.rules.kinds import Kind
from commands.rules.plan import Plan, PlanQuota, TargetFacts, make_plan
from commands.rules.targeting import LineError, LineErrorCode, ListedDevice, PastedLine
from commands.web.desk import request_page
from commands.web.desk.request_page import SHOWN_SELECTED, Confirmation, DeviceChoice, DeviceChoices, PlanBox, PlanRow
from commands.web.shared.rows import Chip
from tests.web.unsaved import HELPDESK, NOW, READER, unsaved_account, unsaved_run, viewer_context

OLD_CLIENT: dict[str, Any] = {"client_version": "2023.1.0.0"}


def listed(key: int = 1, **values: Any) -> ListedDevice:
    """Return a connected Windows laptop with one user, which can run commands."""
    defaults: dict[str, Any] = {
        "device_id": f"d{key}",
        "email": f"person-{key}@example.com",
        "registration_id": f"r{key}",
        "name": f"LAP-{key}",
        "platform": "windows",
        "client_version": "2026.9.100.0",
        "eligible": True,
        "seen_at": NOW,
    }
    return ListedDevice(key, **defaults | values)


def listed_devices(count: int) -> list[ListedDevice]:
    return [listed(key) for key in range(1, count + 1)]


# --- Devices to select


def offered(
    selected: Sequence[ListedDevice] = (), matches: Sequence[ListedDevice] = (), text: str = "lap", **values: Any
) -> DeviceChoices:
    return request_page.device_choices(selected, matches, values.pop("registrations", {}), text=text, now=NOW, **values)


def choice(device: ListedDevice, **values: Any) -> DeviceChoice:
    [one] = offered(matches=[device], **values).choices
    return one


def test_selected_devices_come_first_and_only_once() -> None:
    first, second, third = listed_devices(3)
    choices = offered([second], [first, second, third]).choices
    assert [(one.key, one.checked) for one in choices] == [(2, True), (1, False), (3, False)]


def test_devices_that_are_too_many_to_show_stay_selected() -> None:
    shown = offered(listed_devices(SHOWN_SELECTED + 2))
    assert len(shown.choices) == SHOWN_SELECTED
    assert shown.unshown == [SHOWN_SELECTED + 1, SHOWN_SELECTED + 2]


@pytest.mark.parametrize(("count", "is_cut"), [(SUGGESTIONS, False), (SUGGESTIONS + 1, True)])
def test_more_matches_than_fit_are_cut(count: int, is_cut: bool) -> None:
    shown = offered(matches=listed_devices(count))
    assert (len(shown.choices), shown.is_cut) == (SUGGESTIONS, is_cut)


def test_text_without_a_match_is_repeated() -> None:
    shown = offered(text="nobody")
    assert (shown.no_match_for, shown.waits) == ("nobody", False)


def test_text_with_a_match_and_an_empty_text_have_nothing_to_repeat() -> None:
    assert offered(matches=[listed()]).no_match_for == ""
    assert offered(text="").no_match_for == ""


def test_browser_tries_again_until_devices_were_listed() -> None:
    shown = offered(text="nobody", has_directory=False)
    assert (shown.no_match_for, shown.waits) == ("", True)
    assert not offered(text="", has_directory=False).waits


def test_device_that_can_run_shows_its_facts() -> None:
    one = choice(listed())
    assert (one.person, one.device) == ("person-1@example.com", "LAP-1")
    assert (one.facts, one.problem) == ("Windows · client 2026.9.100.0", "")
    assert one.title == "LAP-1 · Windows · client 2026.9.100.0 · ready · d1"
    assert (one.seen_at, one.shows_seen, one.chip) == (NOW, True, Chip("ready", "done"))


def test_device_without_user_and_name_is_shown_by_its_id() -> None:
    one = choice(listed(email="", name="", client_version="", platform=""))
    assert (one.person, one.device, one.facts) == ("no user", "d1", "")


def test_device_that_is_offline_can_run_later() -> None:
    one = choice(listed(seen_at=NOW - timedelta(hours=3)))
    assert (one.problem, one.shows_seen, one.chip) == ("", True, Chip("offline", "waiting"))


@pytest.mark.parametrize(
    ("values", "registrations", "problem", "chip"),
    [
        (
            {"eligible": False, "ineligible_reason": "managed elsewhere"},
            1,
            "not supported: managed elsewhere",
            Chip("not supported", "withdrawn"),
        ),
        (OLD_CLIENT, 1, "update needed: client 2023.1.0.0, needs 2024.12.492.0", Chip("update needed", "withdrawn")),
        (
            {"client_version": "2025.1.0.0"},
            2,
            "update needed: client 2025.1.0.0, needs 2025.6.1400.0",
            Chip("update needed", "withdrawn"),
        ),
        ({"registration_id": ""}, 2, "shared device: say which user", Chip("shared device", "uncertain")),
    ],
)
def test_device_that_cannot_run_tells_why(values: dict[str, Any], registrations: int, problem: str, chip: Chip) -> None:
    one = choice(listed(**values), registrations={"d1": registrations})
    assert (one.problem, one.chip) == (problem, chip)
    assert (one.facts, one.shows_seen) == ("", False)


# --- Plan


def plan_of(*devices: ListedDevice, kinds: Sequence[Kind] = (Kind.PCAP,), quota: PlanQuota | None = None) -> Plan:
    return make_plan([TargetFacts.of(device) for device in devices], kinds, quota=quota or PlanQuota(), now=NOW)


def box(plan: Plan | None, *errors: LineError, line_count: int = 0, problems: Sequence[str] = ()) -> PlanBox:
    context = viewer_context(*HELPDESK)
    return request_page.plan_box(context, plan, line_count=line_count, line_errors=errors, problems=problems)


def line_error(number: int) -> LineError:
    return LineError(PastedLine(number, "x", ("x",)), LineErrorCode.NOT_FOUND, {"identifier": "x"})


def test_empty_form_has_no_plan() -> None:
    assert box(None) == PlanBox([])


def test_plan_of_one_device_names_device_and_person_on_the_button() -> None:
    shown = box(plan_of(listed()))
    assert shown.rows == [PlanRow("done", "1 ready", ["LAP-1 (person-1@example.com)"])]
    assert shown.button == "Run on LAP-1 (person-1@example.com)"
    assert shown.notice == "Let person-1@example.com know you're doing this."
    assert shown.why_not == ""


def test_plan_of_several_devices_counts_them_on_the_button() -> None:
    shown = box(plan_of(*listed_devices(3)))
    assert shown.button == "Run on 3 devices"
    assert shown.notice == "Let the 3 people know you're doing this."


def test_devices_without_users_need_no_notice() -> None:
    assert box(plan_of(listed(1, email=""), listed(2, email=""))).notice == ""


def test_button_counts_commands_of_several_kinds() -> None:
    shown = box(plan_of(*listed_devices(3), kinds=[Kind.PCAP, Kind.WARP_DIAG]))
    assert shown.button == "Run on 3 devices (6 commands)"


@pytest.mark.parametrize(
    ("quota", "cost"),
    [
        (PlanQuota(), "1 call to Cloudflare"),
        (PlanQuota(used=37), "1 call to Cloudflare · quota 37 → 39"),
        (PlanQuota(used=37, total=200), "1 call to Cloudflare · quota 37 → 39 of 200"),
    ],
)
def test_plan_tells_what_it_costs(quota: PlanQuota, cost: str) -> None:
    assert box(plan_of(*listed_devices(2), quota=quota)).cost == cost


def test_devices_with_the_same_prospects_share_a_row_and_the_largest_comes_first() -> None:
    shown = box(plan_of(listed(1, **OLD_CLIENT), listed(2), listed(3)))
    assert [(row.tone, row.text, list(row.names)) for row in shown.rows] == [
        ("done", "2 ready", ["LAP-2 (person-2@example.com)", "LAP-3 (person-3@example.com)"]),
        (
            "withdrawn",
            "1 update needed: client 2023.1.0.0, needs 2024.12.492.0 (skipped)",
            ["LAP-1 (person-1@example.com)"],
        ),
    ]
    assert shown.button == "Run on 2 of 3 devices"


def test_row_names_twenty_devices_and_counts_the_others() -> None:
    [row] = box(plan_of(*listed_devices(23))).rows
    assert (row.text, len(row.names), row.more) == ("23 ready", 20, 3)
    assert row.is_long


@pytest.mark.parametrize(("count", "is_long"), [(1, False), (2, False), (3, True)])
def test_more_than_two_names_are_folded(count: int, is_long: bool) -> None:
    [row] = box(plan_of(*listed_devices(count))).rows
    assert row.is_long == is_long


def test_rare_prospects_share_the_last_row() -> None:
    devices = [listed(key, client_version=f"2023.{key}.0.0") for key in range(1, 9)]
    shown = box(plan_of(listed(9), listed(10), *devices))
    assert len(shown.rows) == 7
    assert shown.rows[0].text == "2 ready"
    assert (shown.rows[-1].tone, shown.rows[-1].text) == ("withdrawn", "3 more, for other reasons")
    assert len(shown.rows[-1].names) == 3


def test_device_over_the_quota_waits_for_the_reset() -> None:
    shown = box(plan_of(*listed_devices(2), quota=PlanQuota(used=199, total=200)))
    assert [(row.tone, row.text) for row in shown.rows] == [
        ("done", "1 ready"),
        ("failed", "1 over today's quota: waits up to 60 min for the reset, then expires"),
    ]
    assert shown.button == "Run on 2 devices"


def test_plan_without_a_device_that_can_run_disables_the_button() -> None:
    shown = box(plan_of(listed(**OLD_CLIENT)))
    assert shown.why_not == ("This device can't run it: client 2023.1.0.0 is too old, it needs 2024.12.492.0.")
    assert shown.button == "Run on LAP-1 (person-1@example.com)"
    assert (shown.cost, shown.notice) == ("", "")


def test_account_that_cannot_run_has_a_reason_in_place_of_the_plan() -> None:
    context = viewer_context(*HELPDESK, account=unsaved_account(retired_at=NOW))
    shown = request_page.plan_box(context, plan_of(listed()), line_count=0, line_errors=[], problems=["Wrong."])
    assert shown == PlanBox([], why_not="Acme is retired. No commands can be run in it.")


# --- Problems in the plan


@pytest.mark.parametrize(
    ("errors", "line_count", "text"),
    [
        ([1], 1, "1 line has a problem"),
        ([1, 2], 2, "2 lines have problems"),
        ([2], 2, "1 of 2 lines has a problem; 1 is fine"),
        ([2], 5, "1 of 5 lines has a problem; 4 are fine"),
        ([1, 3], 5, "2 of 5 lines have problems; 3 are fine"),
    ],
)
def test_lines_with_problems_are_counted(errors: list[int], line_count: int, text: str) -> None:
    [row] = box(None, *map(line_error, errors), line_count=line_count).rows
    assert (row.tone, row.text) == ("failed", text)
    assert row.names == [f"Line {number}: No person or device found for “x”." for number in errors]


def test_problems_stand_below_the_plan() -> None:
    shown = box(plan_of(listed()), line_error(2), line_count=2, problems=["Enter a ticket."])
    assert [row.text for row in shown.rows] == ["1 ready", "1 of 2 lines has a problem; 1 is fine", "Enter a ticket."]


def test_problems_are_shown_without_a_plan_too() -> None:
    assert box(None, problems=["Enter a ticket."]).rows == [PlanRow("failed", "Enter a ticket.")]


# --- Confirmation


def confirmation(count: int, *skipped: ListedDevice, devices: int = 1, rights: Any = HELPDESK) -> Confirmation:
    lines = plan_of(*skipped).skipped
    return request_page.confirmation(unsaved_run(devices=devices), lines, count=count, only_id=None, rights=rights)


def test_confirmation_of_one_command_leads_to_the_command() -> None:
    id_ = uuid4()
    shown = request_page.confirmation(unsaved_run(), [], count=1, only_id=id_, rights=HELPDESK)
    assert shown == Confirmation("1 command queued.", f"/commands/{id_}/", "")


def test_confirmation_of_several_commands_leads_to_the_run() -> None:
    run = unsaved_run(devices=3)
    shown = request_page.confirmation(run, [], count=3, only_id=None, rights=HELPDESK)
    assert shown == Confirmation("3 commands queued.", f"/runs/{run.id}/", "")


def test_confirmation_has_no_link_for_a_viewer_without_the_right_to_see() -> None:
    assert confirmation(1, rights=[]).url == ""
    assert confirmation(1, rights=READER).url != ""


def test_confirmation_names_the_skipped_device() -> None:
    shown = confirmation(2, listed(**OLD_CLIENT), devices=2)
    assert shown.skipped == (
        "1 of 3 devices was skipped: LAP-1 (person-1@example.com): update needed: client 2023.1.0.0, "
        "needs 2024.12.492.0."
    )
    assert shown.spoken == f"2 commands queued. {shown.skipped}"
    assert confirmation(2).spoken == "2 commands queued."


def test_confirmation_names_five_skipped_devices_and_counts_the_others() -> None:
    skipped = [listed(key, email="", eligible=False) for key in range(1, 8)]
    shown = confirmation(2, *skipped, devices=2)
    assert shown.skipped.startswith("7 of 9 devices were skipped: LAP-1: not supported; LAP-2: not supported;")
    assert shown.skipped.endswith("LAP-5: not supported and 2 more.")
