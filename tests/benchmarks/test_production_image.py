"""Production image without the benchmarks app."""

import os
import subprocess
import sys
from pathlib import Path

from tests.polling import MAX_WAIT
from tests.services.production.docker_files import build

MANAGE = [sys.executable, "manage.py", "help", "--commands"]


def test_production_image_has_no_make_history(tmp_path: Path) -> None:
    app = tmp_path / "app"
    app.mkdir()
    build(app)
    environment = {"PATH": os.environ["PATH"], "VAR_DIR": str(tmp_path / "var"), "SIMULATOR_URL": "http://127.0.0.1:1"}
    done = subprocess.run(
        MANAGE, cwd=app, env=environment, capture_output=True, text=True, timeout=MAX_WAIT, check=False
    )
    assert done.returncode == 0, done.stderr
    commands = done.stdout.split()
    assert "doctor" in commands
    assert "make_history" not in commands
    assert not (app / "benchmarks").exists()
