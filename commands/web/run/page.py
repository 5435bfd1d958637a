"""A run: what was asked, how far it has come, and its commands."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid4

from django.urls import reverse

from commands.access import Right
from commands.actions.sending.withdraw import Withdrawal
from commands.models import Command, Run
from commands.queries.runs import TO_REPEAT
from commands.queries.viewer_context import ViewerContext
from commands.rules.kinds import SPECS, Kind, describe
from commands.rules.states import DONE, UNSENT, Status
from commands.rules.wording.statuses import status_label
from commands.web.shared import rows
from commands.web.shared.components import ChipLink, Nothing, capped
from commands.web.shared.layout import name_of
from commands.web.shared.links import ticket_url
from commands.web.shared.lists import page as listing
from commands.web.shared.lists.page import Listing, Where
from commands.web.shared.operations import join_names


@dataclass(frozen=True, slots=True)
class Asked:
    kind: str
    options: str


@dataclass(frozen=True, slots=True)
class RunPage:
    title: str
    asker: str
    requested_at: datetime
    purpose: str
    ticket: str
    ticket_url: str
    reason: str
    asked: Sequence[Asked]
    unsent: int  # how many the viewer could take back
    withdraw_url: str
    to_repeat: int
    again_url: str
    again_key: UUID
    again_label: str
    no_acts: str  # why the buttons are off though there is something to do
    commands: Listing


def build(
    place: ViewerContext,
    run: Run,
    states: Mapping[Status, int],
    found: tuple[Sequence[Command], bool],
    *,
    where: Where,
    now: datetime,
) -> RunPage:
    unsent = sum(count for status, count in states.items() if status in UNSENT)
    to_repeat = sum(count for status, count in states.items() if status in TO_REPEAT)
    may = Right.RUN in place.rights
    return RunPage(
        title=f"{' and '.join(_kinds(run))} on {_devices(run.devices)}",
        asker="you" if run.requested_by_id == place.user.pk else name_of(run.requested_by),
        requested_at=run.requested_at,
        purpose=run.purpose,
        ticket=run.ticket,
        ticket_url=ticket_url(run.account_id, run.ticket),
        reason=run.reason,
        asked=[Asked(rows.kind_label(kind), _options(kind, run)) for kind in run.options],
        unsent=unsent,
        withdraw_url=reverse("withdraw", args=[run.id]) if unsent and may else "",
        to_repeat=to_repeat,
        again_url=reverse("again", args=[run.id]) if to_repeat and may else "",
        again_key=uuid4(),
        again_label=f"Retry {to_repeat} failed",
        no_acts="" if may else f"You don't have the right to {Right.RUN.words}.",
        commands=_commands(place, states, found, where, now),
    )


def _commands(
    place: ViewerContext,
    states: Mapping[Status, int],
    found: tuple[Sequence[Command], bool],
    where: Where,
    now: datetime,
) -> Listing:
    picked = where.given.get("status", "")
    everything = where.url(status="")
    total, ended = sum(states.values()), sum(count for status, count in states.items() if status in DONE)
    chips = [ChipLink("All", capped(total), not picked, everything, everything)]
    for status, count in states.items():
        url = where.url(status=status)
        chips.append(ChipLink(status_label(status), capped(count), status == picked, url, url))
    return listing.build(
        place,
        found,
        where=where,
        title="Commands",
        count=f"{ended} of {total} ended",
        progress=(ended, total),
        nothing=Nothing("Nothing in this state any more.", "", everything, "All commands of this run"),
        now=now,
        chips=chips,
        is_one_run=True,
    )


def _kinds(run: Run) -> list[str]:
    labels = [rows.kind_label(kind) for kind in run.options]
    return labels or ["Commands"]


def _options(kind: str, run: Run) -> str:
    return describe(SPECS[Kind(kind)].kind, run.options[kind]) if kind in set(Kind) else ""


def _devices(count: int) -> str:
    return "1 device" if count == 1 else f"{count} devices"


def withdrawal_messages(done: Withdrawal, names: Mapping[UUID, str]) -> list[str]:
    """Return one sentence for the withdrawn commands, and one for each status that kept others from it."""
    sentences = []
    if done.withdrawn:
        sentences.append(f"Withdrawn: {join_names(sorted(names.get(id_, '') for id_ in done.withdrawn))}.")
    for status in Status:
        kept = sorted(names.get(id_, "") for id_, now_in in done.kept.items() if now_in == status)
        if kept:
            sentences.append(f"Not withdrawn, {status_label(status).lower()} already: {join_names(kept)}.")
    return sentences or ["Everything has already been sent."]
