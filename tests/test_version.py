import tomllib
from pathlib import Path

from dexportal import __version__


def test_the_package_and_the_project_file_name_one_version() -> None:
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    assert project["version"] == __version__
