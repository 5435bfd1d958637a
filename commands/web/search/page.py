"""What a search found: links that open, nothing else."""

from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from django.urls import reverse

from commands.queries.search import Hit
from commands.web.shared.links import device_url, person_url


@dataclass(frozen=True, slots=True)
class Link:
    what: str
    title: str
    sub: str
    url: str


@dataclass(frozen=True, slots=True)
class SearchPage:
    text: str
    links: Sequence[Link]


def build(text: str, hits: Sequence[Hit]) -> SearchPage:
    several = len({hit.account.pk for hit in hits}) > 1
    links = [_link(hit, hit.account.name if several else "") for hit in hits]
    return SearchPage(text, [link for link in links if link.url])


def _link(hit: Hit, account: str) -> Link:
    if hit.what == "person":
        return Link("Person", hit.word, account, person_url(hit.account.id, hit.word))
    if hit.what == "device":
        sub = " · ".join(word for word in (hit.word if hit.name else "", account) if word)
        return Link("Device", hit.name or hit.word, sub, device_url(hit.account.id, hit.word))
    if hit.what == "ticket":
        query = urlencode({"account": hit.account.id, "ticket": hit.word})
        return Link("Ticket", hit.word, account, f"{reverse('history')}?{query}")
    return Link("Command", hit.name, account, reverse("command", args=[hit.command_id]))
