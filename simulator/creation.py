"""Creation of commands by a POST: items to devices, quota, then all or nothing or item by item.

This module must not parse bodies: `request_body.py` does.
"""

from __future__ import annotations

from dataclasses import dataclass

from simulator.ledger import Command, Post
from simulator.request_body import Item, parse_item, parse_items, stringify_args
from simulator.responses import ApiError, Response, failure_payload, success_payload
from simulator.state import Simulator
from simulator.world import Device, World

UNKNOWN_DEVICE = 1003
INELIGIBLE = 1004
WRONG_PERSON = 1005
AMBIGUOUS_REGISTRATION = 1006
OVER_QUOTA = 1007


@dataclass(frozen=True, slots=True)
class _ValidItem:
    device: Device
    item: Item


def create_commands(sim: Simulator, account_id: str, body: bytes, post: Post) -> Response:
    """Create the commands of a POST, and write their ids to `post`."""
    valid, errors = _validate(sim, account_id, parse_items(body))
    if errors and (sim.config.rejection == "all" or not valid):
        return Response(400, failure_payload(errors))
    now = sim.clock.now()
    valid, over_quota = _within_quota(sim, account_id, valid, now)
    if over_quota and (sim.config.rejection == "all" or not valid):
        raise over_quota
    created = [
        sim.create(entry.device, entry.item.kind, entry.item.options, at=now, post_id=post.id) for entry in valid
    ]
    post.command_ids = tuple(command.id for command in created)
    rows = [_row(command, now) for command in created]
    if sim.config.shuffle_answer:
        sim.rng.shuffle(rows)
    messages = errors + ([over_quota.to_json()] if over_quota else [])
    return Response(200, success_payload({"commands": rows}, messages=messages))


def _validate(sim: Simulator, account_id: str, raw: list[object]) -> tuple[list[_ValidItem], list[dict[str, object]]]:
    valid, errors = [], []
    for index, raw_item in enumerate(raw):
        try:
            item = parse_item(raw_item, index, sim.config)
            valid.append(_ValidItem(find_device(sim.worlds[account_id], item, f"/commands/{index}"), item))
        except ApiError as error:
            errors.append(error.to_json())
    return valid, errors


def find_device(world: World, item: Item, pointer: str = "") -> Device:
    """Find the one registration that an item names, or raise ApiError with the reason."""
    rows = world.rows(item.device_id)
    if not rows:
        raise ApiError(400, UNKNOWN_DEVICE, f"device_id: no device {item.device_id}", pointer=f"{pointer}/device_id")
    if item.registration_id:
        rows = tuple(row for row in rows if row.registration_id == item.registration_id)
    elif len(rows) > 1:
        message = "registration_id: required for a multi-user device"
        raise ApiError(400, AMBIGUOUS_REGISTRATION, message, pointer=f"{pointer}/registration_id")
    device = next((row for row in rows if row.person_email == item.user_email), None)
    if device is None:
        message = "user_email: does not belong to this device and registration"
        raise ApiError(400, WRONG_PERSON, message, pointer=f"{pointer}/user_email")
    if not device.eligible:
        raise ApiError(400, INELIGIBLE, device.ineligible_reason, pointer=f"{pointer}/device_id")
    return device


def _within_quota(
    sim: Simulator, account_id: str, valid: list[_ValidItem], now: float
) -> tuple[list[_ValidItem], ApiError | None]:
    """Return the items that fit into today's quota, and the error for the rest, if there is a rest."""
    used = sim.quotas.usage(account_id, now, sim.to_real_seconds(sim.config.quota_day))
    left = max(0, sim.accounts[account_id].quota - used)
    if len(valid) <= left:
        return valid, None
    message = "The account's quota of remote commands for today is used up"
    return valid[:left], ApiError(sim.config.quota_status, OVER_QUOTA, message)


def _row(command: Command, now: float) -> dict[str, object]:
    """Build a row of the response to a POST. Unlike a row of the listing it has args, and no email and no dates."""
    return {
        "id": command.id,
        "type": command.kind,
        "args": stringify_args(command.options),
        "device_id": command.device.device_id,
        "registration_id": command.device.registration_id,
        "status": command.status(now),
    }
