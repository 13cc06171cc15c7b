"""Tasks that are files: rows behind `csv:`, a TOML file of ten lines, and what is wrong with either."""

from __future__ import annotations

from pathlib import Path

import pytest

from harness import DataError, HarnessError, UsageError
from harness.engine.config import ask
from harness.engine.matrix import plan
from harness.engine.plugin_manager import load_plugins
from harness.engine.registry import Registry
from harness.engine.task_files import named

CAPITALS = """
[task]
name = "capitals"
file = "rows/capitals.csv"
prompt = "Capital of {country}?"
answer = "capital"
metrics = ["exact-match"]

[generate]
max_new_tokens = 7
"""


@pytest.fixture(scope="module")
def registry() -> Registry:
    return Registry(load_plugins(entry_points=False))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "rows").mkdir()
    (tmp_path / "rows" / "capitals.csv").write_text("country,capital\nFrance,Paris\n", encoding="utf-8")
    (tmp_path / "capitals.toml").write_text(CAPITALS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_name_that_is_no_file_is_the_task_s_own(registry):
    found = named(registry, "toy")
    assert (found.task, found.settings, found.rows) == ("toy", {}, {})


@pytest.mark.parametrize("form", ["csv", "tsv", "json", "jsonl", "parquet"])
def test_rows_behind_a_form_are_a_task_named_for_their_file(registry, folder, form):
    (folder / f"my rows.{form}").write_text("x")
    found = named(registry, f"{form}:my rows.{form}")
    assert found.task == "table/my-rows"
    assert found.rows["data.source"].value == f"my rows.{form}"
    assert found.settings == {}


@pytest.mark.parametrize(
    ("stem", "name"), [("a b", "a-b"), ("..x..", "x"), ("名", "名"), ("a/b", "b"), ("%%", "rows")]
)
def test_a_name_becomes_a_folder_and_so_holds_nothing_odd(registry, folder, stem, name):
    path = folder / f"{stem}.csv"
    path.parent.mkdir(exist_ok=True)
    path.write_text("x")
    assert named(registry, f"csv:{path}").task == f"table/{name}"


def test_a_file_of_ten_lines_is_a_task_with_its_settings(registry, folder):
    found = named(registry, "capitals.toml")
    assert found.task == "table/capitals"
    assert {key: setting.value for key, setting in found.settings.items()} == {
        "data.source": "rows/capitals.csv",
        "task.prompt": "Capital of {country}?",
        "task.answer": "capital",
        "metrics": ["exact-match"],
        "generate.max_new_tokens": 7,
    }
    assert {setting.source for setting in found.settings.values()} == {"capitals.toml"}


def test_its_rows_are_seen_from_the_file_wherever_the_program_runs(registry, folder, monkeypatch):
    (folder / "elsewhere").mkdir()
    monkeypatch.chdir(folder / "elsewhere")
    found = named(registry, str(folder / "capitals.toml"))
    assert Path(found.settings["data.source"].value) == folder / "rows" / "capitals.csv"


def test_a_file_without_a_name_is_named_for_itself(registry, folder):
    (folder / "mine.toml").write_text('[task]\nfile = "rows/capitals.csv"\n')
    assert named(registry, "mine.toml").task == "table/mine"


def test_a_flag_beats_what_the_file_says(registry, folder):
    flags = {"model": "baseline/random", "task": "capitals.toml"}
    (plain,) = plan(registry, ask(flags, [], None, {}))
    (changed,) = plan(registry, ask(flags, ["generate.max_new_tokens=9", "task.prompt={country}"], None, {}))
    assert (plain.spec.generate.max_new_tokens, changed.spec.generate.max_new_tokens) == (7, 9)
    assert changed.spec.task_options["prompt"] == "{country}"
    assert (plain.spec.task, plain.spec.metrics) == ("table/capitals", ("exact-match",))
    assert plain.resolved.sources["generate.max_new_tokens"] == "capitals.toml"


@pytest.mark.parametrize(
    ("name", "content", "kind", "said", "hint"),
    [
        ("csv:none.csv", None, DataError, "there is no file none.csv", "csv:FILE names rows"),
        ("none.toml", None, DataError, "there is no file none.toml", "FILE.toml is a task"),
        ("x.toml", "[data]\nlimit = 3", DataError, "x.toml holds no task", "[task] with file"),
        ("x.toml", "task = 3", DataError, "x.toml holds no task", "[task] with file"),
        ("x.toml", "[task]\nprompt = 'a'", DataError, "x.toml holds no task", "[task] with file"),
        (
            "x.toml",
            "[task]\nfile = 'no.csv'",
            DataError,
            "there is no file no.csv, which x.toml names",
            "seen",
        ),
        (
            "x.toml",
            "[task]\nfile = 'rows/capitals.csv'\n[genrate]\nseed = 1",
            UsageError,
            "x.toml sets 'genrate.seed'",
            "did you mean generate.seed",
        ),
        ("x.toml", "[task\n", UsageError, "config x.toml is not TOML", ""),
        ("rows/capitals.csv", None, UsageError, "no task named", "--task csv:rows/capitals.csv asks"),
    ],
)
def test_what_is_wrong_with_a_file_is_said_with_its_name(registry, folder, name, content, kind, said, hint):
    if content is not None:
        (folder / name).write_text(content)
    with pytest.raises(HarnessError) as refused:
        named(registry, name)
    assert isinstance(refused.value, kind)
    assert said in refused.value.message
    assert hint in refused.value.hint


def test_rows_with_a_name_that_no_file_can_have_are_not_there(registry: Registry, tmp_path: Path) -> None:
    (tmp_path / "t.toml").write_text(f'[task]\nfile = "{"9" * 5000}"\nprompt = "{{a}}"\nanswer = "b"\n')
    with pytest.raises(DataError, match="there is no file"):
        named(registry, str(tmp_path / "t.toml"))
