"""Every admin page of every model, for administrators and for other people."""

import pytest
from django.contrib.auth.models import Group
from django.db.models import Model
from django.test import Client

from commands.models import Command
from tests.admin.pages import (
    EDITABLE,
    INLINE_OR_INTERNAL,
    NEVER_DELETED,
    READ_ONLY,
    model_name,
    own_models,
    page,
    registered_models,
)
from tests.html import Page
from tests.people import make_person

ALL = [*READ_ONLY, *EDITABLE]

every_model = pytest.mark.parametrize("model", ALL, ids=model_name)


def first(model: type[Model]) -> Model:
    row = model._default_manager.order_by("pk").first()
    assert row is not None
    return row


def test_every_model_is_in_the_admin_or_listed_as_internal() -> None:
    assert registered_models() == set(ALL)
    assert own_models() | {Group} == {*ALL, *INLINE_OR_INTERNAL}


@every_model
def test_list_opens_and_searches(client_of_admin: Client, command: Command, model: type[Model]) -> None:
    assert client_of_admin.get(page(model, "changelist")).status_code == 200
    for term in ("machine-1", str(command.id), "mia@example.com", "%", "'\"\\"):
        assert client_of_admin.get(page(model, "changelist"), {"q": term}).status_code == 200


@every_model
def test_detail_page_and_history_open(client_of_admin: Client, command: Command, model: type[Model]) -> None:
    shown = first(model)
    answer = client_of_admin.get(page(model, "change", shown.pk))
    assert answer.status_code == 200
    assert str(shown) in Page.of(answer).text("#content")
    assert client_of_admin.get(page(model, "history", shown.pk)).status_code == 200


@pytest.mark.parametrize("model", EDITABLE, ids=model_name)
def test_add_form_opens(client_of_admin: Client, model: type[Model]) -> None:
    assert client_of_admin.get(page(model, "add")).status_code == 200


@every_model
def test_no_page_has_inline_code_or_styles(client_of_admin: Client, command: Command, model: type[Model]) -> None:
    """Find inline code and styles, which the content security policy blocks."""
    addresses = [page(model, "changelist"), page(model, "change", first(model).pk)]
    if model in EDITABLE:
        addresses.append(page(model, "add"))
    for address in addresses:
        assert not Page.of(client_of_admin.get(address)).inline_code(), address


@pytest.mark.parametrize("model", READ_ONLY, ids=model_name)
def test_read_only_model_cannot_be_added_or_changed(
    client_of_admin: Client, command: Command, model: type[Model]
) -> None:
    shown = first(model)
    before = list(model._default_manager.order_by("pk").values())
    assert client_of_admin.get(page(model, "add")).status_code == 403
    assert client_of_admin.post(page(model, "add"), {"id": "x"}).status_code == 403
    assert client_of_admin.post(page(model, "change", shown.pk), {"status": "SUCCESS"}).status_code == 403
    assert not Page.of(client_of_admin.get(page(model, "change", shown.pk))).select("[name=_save]")
    assert list(model._default_manager.order_by("pk").values()) == before


@pytest.mark.parametrize("model", NEVER_DELETED, ids=model_name)
def test_rows_that_the_history_needs_cannot_be_deleted(
    client_of_admin: Client, command: Command, model: type[Model]
) -> None:
    shown = first(model)
    assert client_of_admin.post(page(model, "delete", shown.pk), {"post": "yes"}).status_code == 403
    bulk = {"action": "delete_selected", "_selected_action": [str(shown.pk)], "post": "yes"}
    client_of_admin.post(page(model, "changelist"), bulk)
    assert model._default_manager.filter(pk=shown.pk).exists()


@pytest.mark.parametrize("group", ["helpdesk", "manager", "auditor"])
def test_person_without_the_admin_group_gets_no_page(command: Command, group: str) -> None:
    client = Client()
    client.force_login(make_person("one", group))
    for model in ALL:
        for address in (page(model, "changelist"), page(model, "change", first(model).pk)):
            assert client.get(address).status_code in {302, 403}


def test_staff_without_the_admin_group_gets_no_page(command: Command) -> None:
    client = Client()
    client.force_login(make_person("one", "helpdesk", is_staff=True))
    assert {client.get(page(model, "changelist")).status_code for model in ALL} == {403}


def test_signed_out_person_is_sent_to_the_sign_in_page(command: Command) -> None:
    answer = Client().get(page(Command, "changelist"))
    assert answer.status_code == 302
    assert "login" in answer.headers["Location"]
