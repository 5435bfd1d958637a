"""scripts/bootstrap and scripts/browser, in a folder of their own and with programs that pretend."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).resolve().parent.parent.parent / "scripts"
TOOLS = ("dirname", "cat", "cmp", "rm", "mv", "head", "grep", "awk", "id", "mkdir", "cp", "chmod", "sh")
PYTHON = f"""#!/bin/sh
[ "$1" != -m ] || exit 1
exec {sys.executable} "$@"
"""  # without pip, so that nothing is fetched
UV = """#!/bin/sh
echo "$@" >>calls
case "$1" in
venv) mkdir -p .venv/bin && cp python.sh .venv/bin/python && echo "#!$PWD/.venv/bin/python" >.venv/bin/pip ;;
pip) [ ! -e broken ] || exit 1 ;;
esac
chmod +x .venv/bin/* || :
"""
OTHER_PYTHON = "#!/bin/sh\nexit 127\n"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A checkout with the scripts, a lock, and a PATH on which there is nothing but a few tools."""
    for folder in ("scripts", "bin"):
        (tmp_path / folder).mkdir()
    for name in ("bootstrap", "browser"):
        shutil.copy(SCRIPTS / name, tmp_path / "scripts")
    for tool in TOOLS:
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool) or tool)
    program(tmp_path / "python.sh", PYTHON)
    (tmp_path / "requirements-dev.txt").write_text("a==1\n")
    return tmp_path


def program(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def run(clone: Path, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    given = {"PATH": str(clone / "bin"), "HOME": str(clone), **environment}
    words = [str(clone / "scripts" / script)]
    return subprocess.run(words, env=given, capture_output=True, text=True, check=False, cwd="/", timeout=60)


def calls(clone: Path) -> list[str]:
    lines = (clone / "calls").read_text().splitlines()
    return [line.split()[0] for line in lines if line != "--version"]


def test_without_any_python_bootstrap_says_one_clear_sentence(clone: Path) -> None:
    program(clone / "bin" / "python3.13", OTHER_PYTHON)
    done = run(clone, "bootstrap")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert "dexportal needs Python 3.12 to 3.14" in done.stderr


def test_a_folder_that_cannot_be_written_is_one_clear_sentence(clone: Path) -> None:
    program(clone / "bin" / "uv", UV)
    (clone / ".venv").touch()
    done = run(clone, "bootstrap")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"{clone}/.venv cannot be written to" in done.stderr


def test_bootstrap_runs_candidates_and_takes_one_that_works(clone: Path) -> None:
    program(clone / "bin" / "python3.13", OTHER_PYTHON)
    (clone / "bin" / "python3").symlink_to(sys.executable)
    program(clone / "bin" / "uv", UV)
    assert run(clone, "bootstrap").returncode == 0
    assert "--python python3 .venv" in (clone / "calls").read_text()


def test_uv_brings_a_python_where_there_is_none(clone: Path) -> None:
    program(clone / "bin" / "uv", UV)
    assert run(clone, "bootstrap").returncode == 0
    assert "--python >=3.12,<3.15 .venv" in (clone / "calls").read_text()


def test_bootstrap_does_nothing_while_the_lock_is_the_installed_one(clone: Path) -> None:
    program(clone / "bin" / "uv", UV)
    assert run(clone, "bootstrap").returncode == 0
    assert calls(clone) == ["venv", "pip"]
    second = run(clone, "bootstrap")
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    assert calls(clone) == ["venv", "pip"]
    (clone / "requirements-dev.txt").write_text("a==2\n")
    assert run(clone, "bootstrap").returncode == 0
    assert calls(clone) == ["venv", "pip", "pip"]


def test_a_bootstrap_that_did_not_finish_starts_again(clone: Path) -> None:
    program(clone / "bin" / "uv", UV)
    assert run(clone, "bootstrap").returncode == 0
    (clone / "requirements-dev.txt").write_text("a==2\n")
    (clone / "broken").touch()
    assert run(clone, "bootstrap").returncode != 0
    assert not (clone / ".venv" / "installed").exists()
    (clone / "broken").unlink()
    assert run(clone, "bootstrap").returncode == 0
    assert calls(clone)[-1] == "pip"
    assert "a==2" in (clone / ".venv" / "installed").read_text()


def test_a_clone_that_was_moved_is_made_anew(clone: Path, tmp_path: Path) -> None:
    program(clone / "bin" / "uv", UV)
    assert run(clone, "bootstrap").returncode == 0
    moved = tmp_path / "moved"
    shutil.copytree(clone, moved, symlinks=True, ignore=shutil.ignore_patterns("moved"))
    shutil.rmtree(moved / ".venv" / "bin")
    assert run(moved, "bootstrap").returncode == 0
    assert str(moved) in (moved / ".venv" / "installed").read_text()


def test_the_named_chromium_comes_before_the_one_on_the_path(clone: Path) -> None:
    program(clone / "bin" / "chromium", "#!/bin/sh\n")
    named = program(clone / "mine", "#!/bin/sh\n")
    assert run(clone, "browser").stdout == f"{clone}/bin/chromium\n"
    assert run(clone, "browser", CHROMIUM=str(named)).stdout == f"{named}\n"


def test_a_named_chromium_that_does_not_start_is_an_error_and_not_replaced(clone: Path) -> None:
    program(clone / "bin" / "chromium", "#!/bin/sh\n")
    done = run(clone, "browser", CHROMIUM="/nowhere/chromium")
    assert (done.returncode, done.stdout) == (1, "")
    assert "CHROMIUM is /nowhere/chromium, which does not start" in done.stderr


def test_without_any_chromium_the_error_says_what_to_do(clone: Path) -> None:
    program(clone / "bin" / "chromium", OTHER_PYTHON)
    done = run(clone, "browser")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("no Chromium: install one, or set CHROMIUM to its path.\n")


def test_a_chromium_that_playwright_brings_is_used(clone: Path) -> None:
    (clone / ".venv" / "bin").mkdir(parents=True)
    brought = clone / "brought"
    program(clone / ".venv" / "bin" / "python", f"#!/bin/sh\necho {brought}\n")
    installer = program(clone / ".venv" / "bin" / "playwright", f"#!/bin/sh\n: >{brought}; chmod +x {brought}\n")
    assert installer.exists()
    assert run(clone, "browser").stdout == f"{brought}\n"
    assert os.access(brought, os.X_OK)
