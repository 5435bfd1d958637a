"""Ids and keys in forms, and the redirect after a POST."""

from typing import cast
from uuid import UUID

import pytest
from django.core.exceptions import BadRequest
from django.test import RequestFactory

from commands.web.shared.auth import SignedIn
from commands.web.shared.posts import form_key, posted_uuid, see_other

KEY = UUID("00000000-0000-4000-8000-000000000001")


def posted(**fields: str) -> SignedIn:
    return cast(SignedIn, RequestFactory().post("/commands/act", fields))


def test_form_has_the_key_that_it_was_shown_with() -> None:
    assert form_key(posted(key=str(KEY))) == KEY


def test_form_without_a_key_has_a_new_one_each_time() -> None:
    assert form_key(posted()) != form_key(posted())


@pytest.mark.parametrize("key", ["", "none", str(KEY)[:-1]])
def test_key_that_is_no_id_is_refused(key: str) -> None:
    with pytest.raises(BadRequest, match="Reload and try again"):
        form_key(posted(key=key))


def test_id_is_read_from_its_text() -> None:
    assert posted_uuid(str(KEY)) == KEY


@pytest.mark.parametrize("text", ["", "1", "' OR 1=1", f"{KEY}0"])
def test_text_that_is_no_id_is_refused(text: str) -> None:
    with pytest.raises(BadRequest, match="couldn't be read"):
        posted_uuid(text)


def test_redirect_after_a_post_is_fetched_with_get() -> None:
    response = see_other("/history/?account=1")
    assert response.status_code == 303
    assert response.headers["Location"] == "/history/?account=1"
