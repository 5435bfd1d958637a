import sys
from pathlib import Path

import pytest
from django.conf import settings
from django.test import override_settings

from scripts import check
from scripts.check import Step
from scripts.compile_templates import problems


def test_all_checks_run_and_each_failure_is_told_at_the_end(capfd: pytest.CaptureFixture[str]) -> None:
    fails, works = "import sys; sys.exit('it is bad')", "print('not of interest')"
    order = [Step("one", (sys.executable, "-c", fails)), Step("two", (sys.executable, "-c", works))]
    assert check.main([*order, Step("three", (sys.executable, "-c", fails))]) == 1
    said = capfd.readouterr().out
    lines = said.splitlines()
    assert [line.split()[:2] for line in lines[:3]] == [["one", "FAILED"], ["two", "ok"], ["three", "FAILED"]]
    assert said.count("it is bad") == 4  # the command and its output, twice
    assert "not of interest" not in said


def test_when_all_is_well_the_status_is_0() -> None:
    assert check.main([Step("one", (sys.executable, "-c", "pass"))]) == 0


def test_every_check_is_a_program_that_is_installed() -> None:
    assert all(Path(step.words[0]).exists() for step in check.steps())


def test_a_template_that_does_not_compile_or_misses_another_is_told(tmp_path: Path) -> None:
    (tmp_path / "broken.html").write_text("{% if %}")
    (tmp_path / "orphan.html").write_text("{% extends 'nowhere.html' %}")
    (tmp_path / "includes.html").write_text("{% include 'elsewhere.html#part' %}")
    (tmp_path / "good.html").write_text("{% include 'orphan.html' %}{% include name %}")
    with override_settings(TEMPLATES=[{**settings.TEMPLATES[0], "DIRS": [tmp_path]}]):
        found = list(problems(["broken.html", "orphan.html", "includes.html", "good.html"]))
    assert [line.partition(":")[0] for line in found] == ["broken.html", "orphan.html", "includes.html"]
    assert "there is no template nowhere.html" in found[1]
    assert "there is no template elsewhere.html" in found[2]
