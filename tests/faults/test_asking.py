"""What the fault run asks is what the desk's form reads, and exactly as many commands as were ordered."""

from collections.abc import Mapping, Sequence
from itertools import islice
from uuid import UUID, uuid4

from django.http import QueryDict

from commands.models import Account
from commands.web.desk.forms import AskForm, Directory, FormChoices
from tests.faults.asking import Question, dialect_of, questions

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


def read(question: Question) -> AskForm:
    """As the desk reads it, where no device was listed yet."""
    account = Account(id=uuid4(), cloudflare_id=question.account, dialect=dialect_of(question.account))
    posted = QueryDict(mutable=True)
    fields: Mapping[str, str | Sequence[str]] = question.form(account.id)
    for name, value in fields.items():
        posted.setlist(name, [value] if isinstance(value, str) else list(value))
    directory = Directory(
        named=lambda _account, _words: [],
        picked=lambda _account, _keys: [],
        suggested=lambda _account, _text: [],
        is_suggested=lambda _device, _text: False,
    )
    return AskForm(posted, account=account, directory=directory, offers=FormChoices((), ()))


def test_the_form_is_read_as_the_very_options_by_which_the_comparison_knows_a_command() -> None:
    for question in islice(questions(7, DEVICES), 150):
        form = read(question)
        assert form.is_valid(), form.errors
        assert form.options == question.options
        assert [one.device_id for one in form.chosen_targets] == [one["device_id"] for one in question.devices]


def test_no_two_questions_ask_for_the_same_on_the_same_machine() -> None:
    tags = [tag for question in islice(questions(7, DEVICES), 150) for tag in question.tags()]
    assert len(set(tags)) == len(tags)


def test_a_question_is_cut_to_what_is_left() -> None:
    for question in islice(questions(3, DEVICES), 100):
        for left in (1, 2, 3, 7):
            assert 1 <= len(list(question.cut(left).tags())) <= left
