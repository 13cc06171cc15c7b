"""Python started again: the package is found from any folder, and the folder's own files are not."""

import subprocess

import pytest

from harness import children


@pytest.mark.parametrize("name", ["json.py", "harness.py", "pluggy.py"])
def test_a_child_and_its_own_children_import_nothing_from_the_current_folder(tmp_path, monkeypatch, name):
    (tmp_path / name).write_text("raise SystemExit('executed')")
    monkeypatch.chdir(tmp_path)
    code = "import json, pluggy, harness; print(harness.__file__)"
    again = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {code!r}], check=True)"
    for text in (code, again):
        done = subprocess.run(
            children.python("-c", text), env=children.environment(), capture_output=True, text=True
        )
        assert done.stdout.strip() == str(children.PACKAGE / "__init__.py"), done.stderr


def test_paths_of_the_user_stay_behind_ours(monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "/theirs::/more")
    assert children.environment()["PYTHONPATH"].split(":") == [
        str(children.PACKAGE.parent),
        "/theirs",
        "/more",
    ]
