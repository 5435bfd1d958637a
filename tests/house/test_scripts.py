"""Tests of scripts/bootstrap and scripts/browser in an empty checkout, with fake programs on PATH."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.polling import MAX_WAIT

SCRIPTS = Path(__file__).resolve().parent.parent.parent / "scripts"
TOOLS = ("dirname", "cat", "cmp", "rm", "mv", "head", "grep", "awk", "id", "mkdir", "cp", "chmod", "sh")
PYTHON = f"""#!/bin/sh
[ "$1" != -m ] || exit 1
exec {sys.executable} "$@"
"""  # refuses `-m pip`, so that nothing is downloaded
FAKE_UV = """#!/bin/sh
echo "$@" >>calls
case "$1" in
venv) mkdir -p .venv/bin && cp python.sh .venv/bin/python && echo "#!$PWD/.venv/bin/python" >.venv/bin/pip ;;
pip) [ ! -e broken ] || exit 1 ;;
esac
chmod +x .venv/bin/* || :
"""
BROKEN_PROGRAM = "#!/bin/sh\nexit 127\n"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Make a checkout with the scripts and two locks, and a PATH that holds only a few tools."""
    for folder in ("scripts", "bin"):
        (tmp_path / folder).mkdir()
    for name in ("bootstrap", "browser"):
        shutil.copy(SCRIPTS / name, tmp_path / "scripts")
    for tool in TOOLS:
        (tmp_path / "bin" / tool).symlink_to(shutil.which(tool) or tool)
    program(tmp_path / "python.sh", PYTHON)
    (tmp_path / "requirements-run.txt").write_text("a==1\n")
    (tmp_path / "requirements-dev.txt").write_text("a==1\nb==1\n")
    return tmp_path


def program(path: Path, text: str) -> Path:
    path.write_text(text)
    path.chmod(0o755)
    return path


def run(clone: Path, script: str, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    variables = {"PATH": str(clone / "bin"), "HOME": str(clone), **environment}
    command = [str(clone / "scripts" / script), *arguments]
    return subprocess.run(
        command, env=variables, capture_output=True, text=True, check=False, cwd="/", timeout=MAX_WAIT
    )


def uv_calls(clone: Path) -> list[str]:
    lines = (clone / "calls").read_text().splitlines()
    return [line.split()[0] for line in lines if line != "--version"]


def installed(clone: Path) -> str:
    return (clone / ".venv" / "installed").read_text()


def test_bootstrap_without_python_names_the_versions_it_needs(clone: Path) -> None:
    program(clone / "bin" / "python3.13", BROKEN_PROGRAM)
    done = run(clone, "bootstrap")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1  # one line, no traceback
    assert "dexportal needs Python 3.12 to 3.14" in done.stderr


def test_bootstrap_names_a_folder_that_it_cannot_write(clone: Path) -> None:
    program(clone / "bin" / "uv", FAKE_UV)
    (clone / ".venv").touch()
    done = run(clone, "bootstrap")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"cannot write to {clone}/.venv" in done.stderr


def test_bootstrap_skips_a_python_that_does_not_run(clone: Path) -> None:
    program(clone / "bin" / "python3.13", BROKEN_PROGRAM)
    (clone / "bin" / "python3").symlink_to(sys.executable)
    program(clone / "bin" / "uv", FAKE_UV)
    assert run(clone, "bootstrap").returncode == 0
    assert "--python python3 .venv" in (clone / "calls").read_text()


def test_uv_provides_python_if_none_is_installed(clone: Path) -> None:
    program(clone / "bin" / "uv", FAKE_UV)
    assert run(clone, "bootstrap").returncode == 0
    assert "--python >=3.12,<3.15 .venv" in (clone / "calls").read_text()


def test_bootstrap_does_nothing_until_the_lock_changes(clone: Path) -> None:
    program(clone / "bin" / "uv", FAKE_UV)
    assert run(clone, "bootstrap").returncode == 0
    assert uv_calls(clone) == ["venv", "pip"]
    second = run(clone, "bootstrap")
    assert (second.returncode, second.stdout, second.stderr) == (0, "", "")
    assert uv_calls(clone) == ["venv", "pip"]
    (clone / "requirements-run.txt").write_text("a==2\n")
    assert run(clone, "bootstrap").returncode == 0
    assert uv_calls(clone) == ["venv", "pip", "pip"]


def test_bootstrap_installs_development_tools_only_for_dev(clone: Path) -> None:
    program(clone / "bin" / "uv", FAKE_UV)
    assert run(clone, "bootstrap").returncode == 0
    assert "requirements-run.txt\na==1\n" in installed(clone)
    assert run(clone, "bootstrap", "dev").returncode == 0
    assert "requirements-dev.txt\na==1\nb==1\n" in installed(clone)
    lines = (clone / "calls").read_text().splitlines()
    assert [line.split()[-1] for line in lines if line.startswith("pip")] == [
        "requirements-run.txt",
        "requirements-dev.txt",
    ]


def test_bootstrap_leaves_an_environment_for_development_complete(clone: Path) -> None:
    program(clone / "bin" / "uv", FAKE_UV)
    assert run(clone, "bootstrap", "dev").returncode == 0
    assert run(clone, "bootstrap").returncode == 0
    assert uv_calls(clone) == ["venv", "pip"]
    (clone / "requirements-run.txt").write_text("a==2\n")
    (clone / "requirements-dev.txt").write_text("a==2\nb==1\n")
    assert run(clone, "bootstrap").returncode == 0
    assert "requirements-dev.txt\na==2\nb==1\n" in installed(clone)


def test_bootstrap_rejects_an_unknown_argument(clone: Path) -> None:
    done = run(clone, "bootstrap", "production")
    assert (done.returncode, done.stderr) == (2, "usage: scripts/bootstrap [dev]\n")
    assert not (clone / ".venv").exists()


def test_bootstrap_starts_over_after_a_failed_installation(clone: Path) -> None:
    program(clone / "bin" / "uv", FAKE_UV)
    assert run(clone, "bootstrap").returncode == 0
    (clone / "requirements-run.txt").write_text("a==2\n")
    (clone / "broken").touch()
    assert run(clone, "bootstrap").returncode != 0
    assert not (clone / ".venv" / "installed").exists()
    (clone / "broken").unlink()
    assert run(clone, "bootstrap").returncode == 0
    assert uv_calls(clone)[-1] == "pip"
    assert "a==2" in installed(clone)


def test_bootstrap_rebuilds_the_environment_of_a_moved_clone(clone: Path, tmp_path: Path) -> None:
    program(clone / "bin" / "uv", FAKE_UV)
    assert run(clone, "bootstrap").returncode == 0
    moved = tmp_path / "moved"
    shutil.copytree(clone, moved, symlinks=True, ignore=shutil.ignore_patterns("moved"))
    shutil.rmtree(moved / ".venv" / "bin")
    assert run(moved, "bootstrap").returncode == 0
    assert str(moved) in installed(moved)


def test_chromium_variable_takes_precedence_over_path(clone: Path) -> None:
    program(clone / "bin" / "chromium", "#!/bin/sh\n")
    named = program(clone / "mine", "#!/bin/sh\n")
    assert run(clone, "browser").stdout == f"{clone}/bin/chromium\n"
    assert run(clone, "browser", CHROMIUM=str(named)).stdout == f"{named}\n"


def test_chromium_variable_that_names_a_broken_program_is_an_error(clone: Path) -> None:
    program(clone / "bin" / "chromium", "#!/bin/sh\n")
    done = run(clone, "browser", CHROMIUM="/nowhere/chromium")
    assert (done.returncode, done.stdout) == (1, "")
    assert "CHROMIUM is /nowhere/chromium, but that program does not start" in done.stderr


def test_missing_chromium_is_an_error_that_says_what_to_do(clone: Path) -> None:
    program(clone / "bin" / "chromium", BROKEN_PROGRAM)
    done = run(clone, "browser")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.endswith("no Chromium found. Install one, or set CHROMIUM to its path.\n")


def test_chromium_that_playwright_downloads_is_used(clone: Path) -> None:
    (clone / ".venv" / "bin").mkdir(parents=True)
    download = clone / "download"
    program(clone / ".venv" / "bin" / "python", f"#!/bin/sh\necho {download}\n")
    installer = program(clone / ".venv" / "bin" / "playwright", f"#!/bin/sh\n: >{download}; chmod +x {download}\n")
    assert installer.exists()
    assert run(clone, "browser").stdout == f"{download}\n"
    assert os.access(download, os.X_OK)
