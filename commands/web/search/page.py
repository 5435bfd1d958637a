"""Results of a search, as links."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.urls import reverse

from commands.queries.search import Hit, HitKind
from commands.web.shared.links import device_url, person_url, ticket_url


@dataclass(frozen=True, slots=True)
class Link:
    """One result. `sub` is the second line: the device id, and the account if results are in several accounts."""

    kind: str
    title: str
    sub: str
    url: str


@dataclass(frozen=True, slots=True)
class SearchPage:
    text: str
    links: Sequence[Link]


def build(text: str, hits: Sequence[Hit]) -> SearchPage:
    has_several_accounts = len({hit.account.pk for hit in hits}) > 1
    links = [_link(hit, hit.account.name if has_several_accounts else "") for hit in hits]
    return SearchPage(text, [link for link in links if link.url])


def _link(hit: Hit, account: str) -> Link:
    match hit.kind:
        case HitKind.PERSON:
            return Link("Person", hit.identifier, account, person_url(hit.account.id, hit.identifier))
        case HitKind.DEVICE:
            sub = " · ".join(text for text in (hit.identifier if hit.name else "", account) if text)
            return Link("Device", hit.name or hit.identifier, sub, device_url(hit.account.id, hit.identifier))
        case HitKind.TICKET:
            return Link("Ticket", hit.identifier, account, ticket_url(hit.account.id, hit.identifier))
        case HitKind.COMMAND:
            return Link("Command", hit.name, account, reverse("command", args=[hit.command_id]))
