"""Every rule, on a sample that breaks it and on one that does not: a rule that finds nothing holds nothing."""

from pathlib import PurePosixPath

import pytest

from scripts import house
from scripts.house import Rule, Source, findings

INDEX = "https://" + "py" + "pi.org/simple"  # in pieces, because this file is checked as well
LONG_FUNCTION = "def long():\n" + "    x = 1\n" * house.FUNCTION_LINES
SAMPLES: list[tuple[Rule, str, str, str]] = [
    (house.files_are_short, "commands/a.py", "x = 1\n" * 451, "x = 1\n" * 450),
    (house.files_are_short, "templates/a.html", "<p>\n" * 451, "<p>\n" * 450),
    (house.files_are_short, "static/app.js", "f()\n" * 451, "f()\n" * 450),
    (house.functions_are_short, "commands/a.py", LONG_FUNCTION, LONG_FUNCTION.removesuffix("    x = 1\n")),
    (house.functions_are_short, "tests/a.py", "async " + LONG_FUNCTION, "x = 1\n" * 61),
    (house.no_address_of_a_package_index, "requirements.txt", f"--extra{'-'}index-url x\n", "django==6.1.3\n"),
    (house.no_address_of_a_package_index, "docs/a.md", f"from {INDEX}\n", "from a package index\n"),
    (house.no_address_of_a_package_index, "package-lock.json", f'"{"re"}solved": "x"\n', '"resolution": "x"\n'),
    (
        house.templates_are_without_inline_code,
        "templates/a.html",
        "<script>f()</script>",
        '<script src="a.js"></script>',
    ),
    (house.templates_are_without_inline_code, "templates/a.html", "<style>p {}</style>", "<strong>p</strong>"),
    (house.templates_are_without_inline_code, "templates/a.html", '<p style="x">', '<p class="style">'),
    (house.templates_are_without_inline_code, "templates/a.html", '<p onclick="f()">', '<p class="once">'),
    (house.templates_are_without_inline_code, "templates/a.html", '<p hx-on:click="f()">', '<p hx-get="/on">'),
    (house.templates_are_without_inline_code, "templates/a.html", "<a href='javascript:f()'>", "<a href='/js'>"),
    (house.rows_are_saved_by_name, "commands/actions/a.py", "row.save()", "row.save(update_fields=['status'])"),
    (house.tests_leave_nothing_out, "tests/a.py", "@pytest.mark.skipif(True)\ndef f(): ...", "items.append(1)"),
    (house.tests_leave_nothing_out, "tests/a.py", "pytest.importorskip('x')", "importlib.import_module('x')"),
    (house.tests_leave_nothing_out, "tests/a.py", "pytest.xfail()", "pytest.fail()"),
    (house.tests_do_not_sleep, "tests/a.py", "time.sleep(1)", "event.wait(1)"),
    (house.tests_do_not_sleep, "tests/a.py", "from time import sleep", "from time import monotonic"),
]


@pytest.mark.parametrize(("rule", "path", "bad", "good"), SAMPLES)
def test_each_rule_finds_the_bad_sample_and_leaves_the_good_one(rule: Rule, path: str, bad: str, good: str) -> None:
    assert len(findings(Source(PurePosixPath(path), bad), [rule])) == 1
    assert findings(Source(PurePosixPath(path), good), [rule]) == []


def test_every_rule_has_a_sample() -> None:
    assert {rule for rule, *_ in SAMPLES} == set(house.RULES)


def test_a_finding_says_where_and_what() -> None:
    source = Source(PurePosixPath("tests/a.py"), "import time\n\ntime.sleep(1)\n")
    assert [str(finding) for finding in findings(source)] == [
        "tests/a.py:3: a test waits for what it expects, it does not sleep"
    ]


def test_what_is_vendored_or_generated_may_be_long() -> None:
    for path in ("static/vendor/a/a.css", "commands/migrations/0001_initial.py", "requirements-dev.txt"):
        assert findings(Source(PurePosixPath(path), "x = 1\n" * 1000), [house.files_are_short]) == []


def test_the_rules_read_this_very_repository() -> None:
    paths = {str(source.path) for source in house.sources()}
    assert {"manage.py", "scripts/house.py", "tests/house/test_house_rules.py", "Makefile"} <= paths
