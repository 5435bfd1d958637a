import tomllib
from pathlib import Path

from dexportal import __version__


def test_package_and_project_file_have_the_same_version() -> None:
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    assert project["version"] == __version__
