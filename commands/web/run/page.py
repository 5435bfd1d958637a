"""Run: what was requested, how many of its commands have finished, and the commands."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID, uuid4

from django.urls import reverse

from commands.access import Right
from commands.models import Run
from commands.queries.commands import ListPage
from commands.queries.runs import TO_REPEAT
from commands.queries.viewer_context import ViewerContext
from commands.rules.kinds import Kind
from commands.rules.states import DONE, UNSENT, Status
from commands.rules.wording.options import describe_options
from commands.rules.wording.statuses import status_label
from commands.web.shared import rows
from commands.web.shared.components import EmptyState, FilterGroup, capped
from commands.web.shared.layout import name_of
from commands.web.shared.links import ticket_url
from commands.web.shared.lists import page as lists
from commands.web.shared.lists.address import ListAddress
from commands.web.shared.lists.page import CommandList
from commands.web.shared.operations import join_names


@dataclass(frozen=True, slots=True)
class RequestedKind:
    kind: str
    options: str


@dataclass(frozen=True, slots=True)
class RunPage:
    """Run page. A URL is '' where the viewer lacks the right or nothing is left to do.

    Attributes:
        unsent: number of commands that can be withdrawn.
        to_repeat: number of commands that can be retried.
        no_right: why the buttons are disabled, '' if they aren't.
    """

    title: str
    requester: str
    requested_at: datetime
    purpose: str
    ticket: str
    ticket_url: str
    reason: str
    kinds: Sequence[RequestedKind]
    unsent: int
    withdraw_url: str
    to_repeat: int
    again_url: str
    again_key: UUID
    again_label: str
    no_right: str
    commands: CommandList


def build(
    context: ViewerContext,
    run: Run,
    states: Mapping[Status, int],
    page: ListPage,
    *,
    address: ListAddress,
    now: datetime,
) -> RunPage:
    unsent = sum(count for status, count in states.items() if status in UNSENT)
    to_repeat = sum(count for status, count in states.items() if status in TO_REPEAT)
    can_run = Right.RUN in context.rights
    return RunPage(
        title=f"{' and '.join(_kinds(run))} on {_devices(run.devices)}",
        requester="you" if run.requested_by_id == context.user.pk else name_of(run.requested_by),
        requested_at=run.requested_at,
        purpose=run.purpose,
        ticket=run.ticket,
        ticket_url=ticket_url(run.account_id, run.ticket),
        reason=run.reason,
        kinds=[RequestedKind(rows.kind_label(kind), _options(kind, run)) for kind in run.options],
        unsent=unsent,
        withdraw_url=reverse("withdraw", args=[run.id]) if unsent and can_run else "",
        to_repeat=to_repeat,
        again_url=reverse("again", args=[run.id]) if to_repeat and can_run else "",
        again_key=uuid4(),
        again_label=f"Retry {to_repeat} failed",
        no_right="" if can_run else f"You don't have the right to {Right.RUN.phrase}.",
        commands=_commands(context, states, page, address, now),
    )


def _commands(
    context: ViewerContext,
    states: Mapping[Status, int],
    page: ListPage,
    address: ListAddress,
    now: datetime,
) -> CommandList:
    current = address.filters.get("status", "")
    everything = replace(address, filters={})
    total, finished = sum(states.values()), sum(count for status, count in states.items() if status in DONE)
    chips = [lists.filter_link("All", everything, is_on=not current, count=capped(total))]
    for status, count in states.items():
        with_status = replace(address, filters={"status": status})
        is_on = status == current
        chips.append(lists.filter_link(status_label(status), with_status, is_on=is_on, count=capped(count)))
    return lists.build(
        context,
        page,
        address=address,
        count=f"{finished} of {total} finished",
        progress=(finished, total),
        empty=EmptyState("No commands have this status any more.", "", everything.url(), "All commands of this run"),
        filters=[FilterGroup("Status", chips)],
        now=now,
        is_one_run=True,
    )


def _kinds(run: Run) -> list[str]:
    labels = [rows.kind_label(kind) for kind in run.options]
    return labels or ["Commands"]


def _options(kind: str, run: Run) -> str:
    return describe_options(Kind(kind), run.options[kind]) if kind in set(Kind) else ""


def _devices(count: int) -> str:
    return "1 device" if count == 1 else f"{count} devices"


def withdrawal_messages(withdrawn: Iterable[UUID], kept: Mapping[UUID, Status], names: Mapping[UUID, str]) -> list[str]:
    """Return a sentence for the withdrawn commands, and one for each status that kept others from it.

    `names` are the devices of the commands.
    """
    sentences = []
    if withdrawn_names := sorted(names.get(id_, "") for id_ in withdrawn):
        sentences.append(f"Withdrawn: {join_names(withdrawn_names)}.")
    for status in Status:
        if kept_names := sorted(names.get(id_, "") for id_, kept_in in kept.items() if kept_in == status):
            sentences.append(f"Not withdrawn, {status_label(status).lower()} already: {join_names(kept_names)}.")
    return sentences or ["Everything has already been sent."]
