"""What a POST does: checks its items, finds the devices, takes the quota, creates. All or nothing, or item by item."""

from __future__ import annotations

from dataclasses import dataclass

from simulator.answers import Answer, Refusal, failure, success
from simulator.bodies import Item, args_as_strings, raw_items, read_item
from simulator.ledger import Command, Post
from simulator.state import Simulator
from simulator.world import Device, World

UNKNOWN_DEVICE = 1003
INELIGIBLE = 1004
WRONG_PERSON = 1005
AMBIGUOUS_REGISTRATION = 1006
OVER_QUOTA = 1007


@dataclass(frozen=True, slots=True)
class _Order:
    device: Device
    item: Item


def create_commands(sim: Simulator, account_id: str, body: bytes, post: Post) -> Answer:
    """The created commands' ids are left in `post`."""
    raw = raw_items(body)
    orders, errors = _orders(sim, account_id, raw)
    if errors and (sim.config.rejection == "all" or not orders):
        return Answer(400, failure(errors))
    now = sim.clock.now()
    orders, over = _within_quota(sim, account_id, orders, now)
    if over and (sim.config.rejection == "all" or not orders):
        raise over
    created = [
        sim.create(order.device, order.item.kind, order.item.options, at=now, post_id=post.id) for order in orders
    ]
    post.command_ids = tuple(command.id for command in created)
    rows = [_row(command, now) for command in created]
    if sim.config.shuffle_answer:
        sim.rng.shuffle(rows)
    notes = errors + ([over.error()] if over else [])
    return Answer(200, success({"commands": rows}, messages=notes))


def _orders(sim: Simulator, account_id: str, raw: list[object]) -> tuple[list[_Order], list[dict[str, object]]]:
    orders, errors = [], []
    for index, one in enumerate(raw):
        try:
            item = read_item(one, index, sim.config)
            orders.append(_Order(find_device(sim.worlds[account_id], item, f"/commands/{index}"), item))
        except Refusal as refusal:
            errors.append(refusal.error())
    return orders, errors


def find_device(world: World, item: Item, pointer: str = "") -> Device:
    """The one registration that is meant, or a Refusal that says why there is none."""
    rows = world.rows(item.device_id)
    if not rows:
        raise Refusal(400, UNKNOWN_DEVICE, f"device_id: no device {item.device_id}", pointer=f"{pointer}/device_id")
    if item.registration_id:
        rows = tuple(row for row in rows if row.registration_id == item.registration_id)
    elif len(rows) > 1:
        message = "registration_id: required for a multi-user device"
        raise Refusal(400, AMBIGUOUS_REGISTRATION, message, pointer=f"{pointer}/registration_id")
    device = next((row for row in rows if row.person_email == item.user_email), None)
    if device is None:
        message = "user_email: does not belong to this device and registration"
        raise Refusal(400, WRONG_PERSON, message, pointer=f"{pointer}/user_email")
    if not device.eligible:
        raise Refusal(400, INELIGIBLE, device.ineligible_reason, pointer=f"{pointer}/device_id")
    return device


def _within_quota(
    sim: Simulator, account_id: str, orders: list[_Order], now: float
) -> tuple[list[_Order], Refusal | None]:
    used = sim.quotas.usage(account_id, now, sim.real(sim.config.quota_day))
    left = max(0, sim.accounts[account_id].quota - used)
    if len(orders) <= left:
        return orders, None
    message = "The account's quota of remote commands for today is used up"
    return orders[:left], Refusal(sim.config.quota_status, OVER_QUOTA, message)


def _row(command: Command, now: float) -> dict[str, object]:
    return {
        "id": command.id,
        "type": command.kind,
        "args": args_as_strings(command.options),
        "device_id": command.device.device_id,
        "registration_id": command.device.registration_id,
        "status": command.status(now),
    }
