"""Samples for every project rule: one that breaks the rule and one that keeps it."""

from pathlib import PurePosixPath

import pytest

from scripts import project_rules as rules
from scripts.project_rules import Rule, Source, findings

INDEX = "https://" + "py" + "pi.org/simple"  # in pieces, because the rules read this file too
LONG_FUNCTION = "def long():\n" + "    x = 1\n" * rules.FUNCTION_LINES
SAMPLES: list[tuple[Rule, str, str, str]] = [
    (rules.files_are_short, "commands/a.py", "x = 1\n" * 451, "x = 1\n" * 450),
    (rules.files_are_short, "templates/a.html", "<p>\n" * 451, "<p>\n" * 450),
    (rules.files_are_short, "static/app.js", "f()\n" * 451, "f()\n" * 450),
    (rules.functions_are_short, "commands/a.py", LONG_FUNCTION, LONG_FUNCTION.removesuffix("    x = 1\n")),
    (rules.functions_are_short, "tests/a.py", "async " + LONG_FUNCTION, "x = 1\n" * 61),
    (rules.template_lines_are_short, "templates/a.html", f"<p>{'x' * 158}", f"<p>{'x' * 157}"),
    (rules.template_lines_are_short, "templates/a.html", "x" * 161, "x" * 160 + "\n" + "x" * 160),
    (rules.no_package_index_address, "requirements.txt", f"--extra{'-'}index-url x\n", "django==6.1.3\n"),
    (rules.no_package_index_address, "docs/a.md", f"from {INDEX}\n", "from a package index\n"),
    (rules.no_package_index_address, "package-lock.json", f'"{"re"}solved": "x"\n', '"resolution": "x"\n'),
    (rules.templates_have_no_inline_code, "templates/a.html", "<script>f()</script>", '<script src="a.js"></script>'),
    (rules.templates_have_no_inline_code, "templates/a.html", "<style>p {}</style>", "<strong>p</strong>"),
    (rules.templates_have_no_inline_code, "templates/a.html", '<p style="x">', '<p class="style">'),
    (rules.templates_have_no_inline_code, "templates/a.html", '<p onclick="f()">', '<p class="once">'),
    (rules.templates_have_no_inline_code, "templates/a.html", '<p hx-on:click="f()">', '<p hx-get="/on">'),
    (rules.templates_have_no_inline_code, "templates/a.html", "<a href='javascript:f()'>", "<a href='/js'>"),
    (rules.saves_name_their_fields, "commands/actions/a.py", "row.save()", "row.save(update_fields=['status'])"),
    (rules.tests_are_never_skipped, "tests/a.py", "@pytest.mark.skipif(True)\ndef f(): ...", "items.append(1)"),
    (rules.tests_are_never_skipped, "tests/a.py", "pytest.importorskip('x')", "importlib.import_module('x')"),
    (rules.tests_are_never_skipped, "tests/a.py", "pytest.xfail()", "pytest.fail()"),
    (rules.tests_do_not_sleep, "tests/a.py", "time.sleep(1)", "event.wait(1)"),
    (rules.tests_do_not_sleep, "tests/a.py", "from time import sleep", "from time import monotonic"),
    (rules.tests_assert_no_speed, "tests/a.py", "assert monotonic() - a < 5", "assert monotonic() - a >= 5"),
    (rules.tests_assert_no_speed, "tests/a.py", "assert 1 < time.time() - a <= 5", "assert 1 < clock.time() <= 5"),
    (rules.tests_assert_no_speed, "tests/a.py", "assert 5 > time.perf_counter()", "assert a < 5 or monotonic()"),
    (
        rules.texts_use_the_agreed_words,
        "templates/a.html",
        "<p>Asked for:</p>",
        "<p>{{ run.asked_for }} Requested:</p>",
    ),
    (rules.texts_use_the_agreed_words, "templates/a.txt", "Please\nmend it.", "Please\nfix it."),
    (rules.texts_use_the_agreed_words, "commands/rules/wording/a.py", "a = 'It rests.'", "a = 'The rest is paused.'"),
    (rules.texts_use_the_agreed_words, "commands/web/desk/forms.py", "a = 'left ' 'out'", "a = 'skipped' 'out'"),
    (rules.texts_use_the_agreed_words, "commands/forms/desk.py", "a = f'take {n} back'", "a = f'take {n}' 'back'"),
    (rules.texts_use_the_agreed_words, "commands/admin/a.py", "a = {'whose?': 1}", "a = {'whose device': 1}"),
    (rules.texts_use_the_agreed_words, "commands/models/a.py", "f(help='An ask for')", "f(help='A request')"),
    (rules.texts_use_the_agreed_words, "commands/models/a.py", "class A:\n    a = 'Mend'", "class A:\n    'Mend'"),
    (rules.docstrings_are_plain, "commands/a.py", '"""The rows."""', '"""Rows of a list. There are many."""'),
    (rules.docstrings_are_plain, "tests/a.py", 'class A:\n    """Rows; columns."""', 'x = """The rows; columns."""'),
    (rules.docstrings_are_plain, "tests/a.py", 'def f():\n    """Who\'s it."""', 'def f():\n    """Whole it."""'),
    (rules.docstrings_are_plain, "a.py", 'async def f():\n    """as it is"""', 'async def f():\n    """Read `a;b`."""'),
]


@pytest.mark.parametrize(("rule", "path", "bad", "good"), SAMPLES)
def test_each_rule_finds_the_bad_sample_and_accepts_the_good_one(rule: Rule, path: str, bad: str, good: str) -> None:
    assert len(findings(Source(PurePosixPath(path), bad), [rule])) == 1
    assert findings(Source(PurePosixPath(path), good), [rule]) == []


@pytest.mark.parametrize(
    "text",
    [
        "take back 29",
        "It was taken back.",
        "He takes it back",
        "took the last command back",
        "taking back",
        "Mend it",
        "mended",
        "MENDS",
        "mending",
        "rests",
        "rested",
        "resting",
        "needs a rest",
        "asked for",
        "Ask for",
        "asks for",
        "asking\n  for",
        "leave it out",
        "(left out)",
        "leaves out",
        "leaving out",
        "Whose?",
        "whose ?",
    ],
)
def test_inflections_of_discouraged_words_are_found(text: str) -> None:
    source = Source(PurePosixPath("templates/a.html"), f"<p>\n{text}</p>")
    [finding] = findings(source, [rules.texts_use_the_agreed_words])
    assert finding.line == 2


@pytest.mark.parametrize(
    "text",
    [
        "recommend, amended, a commendation",
        "the rest of the list",
        "arrests, interested",
        "Ask an administrator",
        "take_back and ask-for in the name of a class",
        "This link takes you back to the list.",
        "Take the lift. Go back.",
        "Take care of all the rows on the way back.",
        "the left outlet",
        "the device whose name is known",
    ],
)
def test_words_that_only_look_discouraged_are_accepted(text: str) -> None:
    source = Source(PurePosixPath("templates/a.html"), text)
    assert findings(source, [rules.texts_use_the_agreed_words]) == []


def test_agreed_words_are_checked_only_in_texts_for_people() -> None:
    for path in ("tests/a.py", "scripts/a.py", "commands/migrations/0001_initial.py", "docs/a.md"):
        source = Source(PurePosixPath(path), "a = 'mend'")
        assert findings(source, [rules.texts_use_the_agreed_words]) == []


@pytest.mark.parametrize("start", ["What", "Who", "Whether", "As", "Of", "The", "A", "An"])
def test_each_weak_start_of_a_docstring_is_found(start: str) -> None:
    source = Source(PurePosixPath("a.py"), f'def f():\n    """{start} row."""')
    [finding] = findings(source, [rules.docstrings_are_plain])
    assert finding.line == 2


def test_every_rule_has_a_sample() -> None:
    assert set(rules.RULES) <= {rule for rule, *_ in SAMPLES}


def test_finding_names_the_place_and_the_problem() -> None:
    source = Source(PurePosixPath("tests/a.py"), "import time\n\ntime.sleep(1)\n")
    assert [str(finding) for finding in findings(source)] == [
        "tests/a.py:3: sleep: wait for the expected event instead"
    ]


def test_vendored_and_generated_files_may_be_long() -> None:
    for path in ("static/vendor/a/a.css", "commands/migrations/0001_initial.py", "requirements-dev.txt"):
        assert findings(Source(PurePosixPath(path), "x = 1\n" * 1000), [rules.files_are_short]) == []


def test_rules_read_every_file_of_this_repository() -> None:
    paths = {str(source.path) for source in rules.sources()}
    assert {"manage.py", "scripts/project_rules.py", "tests/house/test_project_rules.py", "Makefile"} <= paths


def test_text_templates_may_have_long_lines() -> None:
    source = Source(PurePosixPath("templates/commands/email/a.txt"), "x" * 161)
    assert findings(source, [rules.template_lines_are_short]) == []
