"""Tests of the workload: the desk's form reads its requests, and it requests exactly as many commands as configured."""

from collections.abc import Mapping, Sequence
from itertools import islice
from uuid import UUID, uuid4

import pytest
from django.http import QueryDict

from commands.models import Account
from commands.queries.choices import FormChoices
from commands.web.desk.forms import RequestForm
from tests.faults.workload import RunRequest, dialect_of, run_requests

DEVICES = [
    {
        "account_id": f"{account:032x}",
        "device_id": str(UUID(int=account * 100 + number, version=4)),
        "registration_id": f"r{number}",
        "person_email": f"person{number}@example.com",
        "eligible": True,
    }
    for account in (1, 2)
    for number in range(12)
]


def read_form(request: RunRequest) -> RequestForm:
    """Read the request like the desk, before any device was listed."""
    account = Account(id=uuid4(), cloudflare_id=request.account, dialect=dialect_of(request.account))
    posted = QueryDict(mutable=True)
    fields: Mapping[str, str | Sequence[str]] = request.form(account.id)
    for name, value in fields.items():
        posted.setlist(name, [value] if isinstance(value, str) else list(value))
    return RequestForm(posted, account=account, choices=FormChoices())


@pytest.mark.django_db
def test_desk_reads_the_form_as_the_options_that_identify_the_commands() -> None:
    for request in islice(run_requests(7, DEVICES), 150):
        form = read_form(request)
        assert form.is_valid(), form.errors
        assert form.options == request.options
        assert [target.device_id for target in form.chosen_targets] == [
            device["device_id"] for device in request.devices
        ]


def test_no_two_requests_have_the_same_options_on_one_device() -> None:
    tags = [tag for request in islice(run_requests(7, DEVICES), 150) for tag in request.tags()]
    assert len(set(tags)) == len(tags)


def test_request_is_limited_to_the_remaining_commands() -> None:
    for request in islice(run_requests(3, DEVICES), 100):
        for left in (1, 2, 3, 7):
            assert 1 <= len(list(request.limit(left).tags())) <= left
