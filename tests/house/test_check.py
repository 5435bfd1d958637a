import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.test import override_settings

from scripts import check, fix
from scripts.check import Step
from scripts.compile_templates import problems


def test_all_checks_run_and_failures_are_printed_at_the_end(capfd: pytest.CaptureFixture[str]) -> None:
    failing, passing = "import sys; sys.exit('bad line 7')", "print('all good')"
    steps = [Step(name, (sys.executable, "-c", code)) for name, code in (("one", failing), ("two", passing))]
    assert check.main([*steps, Step("three", (sys.executable, "-c", failing))]) == 1
    output = capfd.readouterr().out
    lines = output.splitlines()
    assert [line.split()[:2] for line in lines[:3]] == [["one", "FAILED"], ["two", "ok"], ["three", "FAILED"]]
    assert output.count("bad line 7") == 4  # the command and its output, for both failures
    assert "all good" not in output


def test_exit_status_is_0_when_every_check_passes() -> None:
    assert check.main([Step("one", (sys.executable, "-c", "pass"))]) == 0


def test_program_of_every_check_and_repair_is_installed() -> None:
    assert all(Path(step.command[0]).exists() for step in [*check.steps(), *fix.steps()])


def test_every_repair_belongs_to_a_check() -> None:
    assert {step.name for step in fix.steps()} <= {step.name for step in check.steps()}


def test_repair_that_succeeds_only_the_second_time_changed_a_file_and_passes(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    mark = tmp_path / "formatted"
    formatter = f"import pathlib, sys; p = pathlib.Path({str(mark)!r}); p.exists() or sys.exit(p.touch() or 'changed')"
    assert fix.main([Step("format", (sys.executable, "-c", formatter))]) == 0
    assert capfd.readouterr().out.split() == ["format", "ok"]


def test_all_repairs_run_and_remaining_problems_are_printed(capfd: pytest.CaptureFixture[str]) -> None:
    failing = Step("style", (sys.executable, "-c", "import sys; sys.exit('bad line 7')"))
    passing = Step("format", (sys.executable, "-c", "pass"))
    assert fix.main([failing, passing]) == 1
    lines = capfd.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [
        ["style", "repair", "by", "hand"],
        ["bad", "line", "7"],
        ["format", "ok"],
    ]


def test_templates_that_do_not_compile_or_name_a_missing_template_are_reported(tmp_path: Path) -> None:
    (tmp_path / "broken.html").write_text("{% if %}")
    (tmp_path / "orphan.html").write_text("{% extends 'nowhere.html' %}")
    (tmp_path / "includes.html").write_text("{% include 'elsewhere.html#part' %}")
    (tmp_path / "good.html").write_text("{% include 'orphan.html' %}{% include name %}")
    with override_settings(TEMPLATES=[{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]):
        messages = list(problems(["broken.html", "orphan.html", "includes.html", "good.html"]))
    assert [line.partition(":")[0] for line in messages] == ["broken.html", "orphan.html", "includes.html"]
    assert "template nowhere.html does not exist" in messages[1]
    assert "template elsewhere.html does not exist" in messages[2]
