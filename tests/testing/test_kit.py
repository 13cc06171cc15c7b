"""The conformance kit: a bad plugin fails each check by name, and a good one none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from harness import PluginError, UsageError
from harness.testing import Result, checks_of, run_check, subject_of
from harness.testing.report import badge_of, lines_of

ROOT = Path(__file__).resolve().parents[2]
BAD = Path(__file__).with_name("bad_plugin.py")
FAILS = {
    "metric m-upside-down": {"identity-is-best"},
    "metric m-first-row": {"order"},
    "metric m-drifting": {"deterministic"},
    "metric m-too-large": {"range"},
    "metric m-generous": {"silence"},
    "metric m-raw-reader": {"reads-the-answer"},
    "metric m-typeless": {"types"},
    "metric m-fragile": {"odd-texts"},
    "metric m-mute": {"card"},
    "metric m-split": {"vote"},
    "task t-shuffled": {"fixed-rows", "limit"},
    "task t-miscounted": {"counts"},
    "task t-overlapping": {"splits-apart"},
    "task t-leaking": {"references-stay-home"},
    "task t-moody": {"prompt"},
    "task t-unlimited": {"fixed-rows", "limit"},
    "task t-twins": {"shots"},
    "task t-deaf": {"reads-anything"},
    "task t-empty": {"targets"},
    "task t-bare": {"card"},
    "model x-dull": {"learns"},
    "model x-homesick": {"saves"},
    "model x-forgetful": {"resumes"},
    "model x-sociable": {"company"},
    "model x-endless": {"stop-strings"},
    "model x-picky": {"any-prompt"},
    "model x-certain": {"choices"},
    "model x-hoarder": {"frees-memory"},
    "retriever r-twice": {"each-once"},
    "retriever r-upward": {"nearest-first"},
    "retriever r-dice": {"deterministic"},
    "retriever r-brittle": {"odd-texts"},
}
GOOD = {"metric m-good", "task t-good", "model x-good", "retriever r-good"}


@pytest.fixture(scope="module")
def results() -> dict[str, dict[str, Result]]:
    found: dict[str, dict[str, Result]] = {}
    for item, check in checks_of(subject_of(str(BAD))):
        found.setdefault(item.name, {})[check.name] = run_check(item, check)
    return found


@pytest.mark.parametrize(("item", "checks"), FAILS.items())
def test_what_is_bad_fails_the_check_that_is_for_it(results, item, checks):
    failed = {name for name, result in results[item].items() if result.status == "failed"}
    assert checks <= failed, {name: str(results[item][name]) for name in checks}
    for name in checks:
        result = results[item][name]
        assert result.wanted and result.saw and result.to_do
        assert all(word in str(result) for word in ("wanted:", "saw:", "to do:"))


@pytest.mark.parametrize("item", sorted(GOOD))
def test_what_is_good_fails_nothing(results, item):
    assert [str(r) for r in results[item].values() if r.status == "failed"] == []


def test_every_check_of_these_kinds_can_fail(results):
    covered = {(item.split()[0], name) for item, names in FAILS.items() for name in names}
    checks = {(item.split()[0], name) for item, found in results.items() for name in found}
    assert {pair for pair in checks if pair[0] in ("metric", "task", "model", "retriever")} <= covered


@pytest.mark.parametrize(
    ("text", "check", "saw"),
    [
        ("import numpy\n{hook}", "loads-lightly", "numpy"),
        (
            "import time\ntime.process_time() and [i * i for i in range(30_000_000)]\n{hook}",
            "loads-lightly",
            "CPU",
        ),
        ("{hook}\n    return [ModelEntry('m', '', 'a:B')]", "plain-names", "no summary"),
        ("{hook}\n    return [ModelEntry('toy', 's', 'a:B')]", "free-names", "a name of plugin 'toy' too"),
        ("{hook}\n    return [ModelEntry('m', 's', 'no_such_module:B')]", "targets", "does not exist"),
    ],
)
def test_a_plugin_as_a_whole_is_held_to_its_promises(write_plugin, text, check, saw):
    hook = "from harness import ModelEntry, hookimpl\n@hookimpl\ndef harness_models():"
    body = text.format(hook=hook)
    name = f"odd_{abs(hash(text))}"
    path = write_plugin(body if "return" in body else body + "\n    return []", name)
    subject = subject_of(str(path))
    (found,) = [run_check(i, c) for i, c in checks_of(subject) if c.name == check and i.kind == "plugin"]
    assert (found.status, saw in found.saw) == ("failed", True), found


VERBS = '''
from harness import Verb, VerbEntry, hookimpl

@hookimpl
def harness_verbs():
    shown = ("run-bench v-good",)
    found = [VerbEntry(f"v-{n.lower()}", "a verb", f"{__name__}:{n}", examples=shown) for n in NAMES]
    return [*found, VerbEntry("v-alone", "a verb", f"{__name__}:Good")]

NAMES = ("Good", "Speechless", "Lenient")

class Good(Verb):
    """Do nothing."""
    def run(self, args, bench):
        return 0

class Speechless(Good):
    def add_arguments(self, parser):
        raise RuntimeError("lost for words")

class Lenient(Good):
    def add_arguments(self, parser):
        parser.parse_args = lambda *args, **more: parser.exit(0)
        parser.add_argument("--no-such-flag-anywhere", action="store_true")
'''


def test_bad_verbs_fail_the_checks_that_are_for_them(write_plugin):
    wanted = {
        "verb v-good": set(),
        "verb v-speechless": {"help"},
        "verb v-lenient": {"mistakes"},
        "verb v-alone": {"examples"},
    }
    failed: dict[str, set[str]] = {name: set() for name in wanted}
    for item, check in checks_of(subject_of(str(write_plugin(VERBS, "bad_verbs")))):
        if item.kind == "verb" and run_check(item, check).status == "failed":
            failed[item.name].add(check.name)
    assert all(wanted[name] <= failed[name] for name in wanted) and not failed["verb v-good"], failed


def test_an_installed_package_is_held_to_a_version_and_to_light_help(tmp_path, monkeypatch):
    package = "from harness import VerbEntry, hookimpl\n@hookimpl\ndef harness_verbs():\n    return "
    package += "[VerbEntry('v-heavy', 'a verb', 'heavy_verbs.verb:Heavy')]\n"
    verb = "import pandas\nfrom harness import Verb\nclass Heavy(Verb):\n    'Help.'\n"
    verb += "    def run(self, a, b):\n"
    (tmp_path / "heavy_verbs").mkdir()
    (tmp_path / "heavy_verbs" / "__init__.py").write_text(package)
    (tmp_path / "heavy_verbs" / "verb.py").write_text(verb + "        return 0\n")
    known = tmp_path / "heavy_verbs-0.dist-info"
    known.mkdir()
    (known / "METADATA").write_text("Metadata-Version: 2.1\nName: heavy-verbs\n")
    (known / "entry_points.txt").write_text("[harness]\nheavy-verbs = heavy_verbs\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")]))
    found = {
        check.name: run_check(item, check)
        for item, check in checks_of(subject_of("heavy-verbs"))
        if check.name in ("version", "light-help")
    }
    assert [found[name].status for name in ("version", "light-help")] == ["failed", "failed"]
    assert "pandas" in found["light-help"].saw
    for name in [name for name in sys.modules if name.startswith("heavy_verbs")]:
        del sys.modules[name]


def test_a_plugin_without_a_hook_is_no_plugin(write_plugin):
    with pytest.raises(PluginError, match="it implements no hook"):
        subject_of(str(write_plugin("X = 1", "hookless")))


def test_a_plugin_that_is_not_there_gets_the_nearest():
    with pytest.raises(UsageError, match="there is no plugin 'tooy'") as refused:
        subject_of("tooy")
    assert "toy" in refused.value.hint


def test_the_program_says_what_failed_and_ends_with_one(main, tmp_path):
    good = main("plugins", "check", "harness.tasks.moa", "--badge", "badge.svg")
    assert good.code == 0, good.out
    assert good.out.splitlines()[-1].endswith("passed")
    assert "checks</text>" in (tmp_path / "badge.svg").read_text()
    bad = main("plugins", "check", BAD, "--json")
    assert bad.code == 1
    assert {row["status"] for row in json.loads(bad.out)} == {"passed", "failed", "skipped"}
    nothing = main("plugins", "check")
    assert (nothing.code, "no plugin is named" in nothing.err) == (2, True)


def test_pytest_runs_it_by_an_option_and_by_one_line(tmp_path):
    (tmp_path / "test_mine.py").write_text(
        f"from harness.testing import conforms\ntest_it = conforms({str(ROOT / 'examples' / 'iupac.py')!r})\n"
    )
    options = ["-p", "harness.testing.pytest_plugin", "-q", "-p", "no:cacheprovider", "-p", "no:assay"]
    by_line = [sys.executable, "-m", "pytest", *options, str(tmp_path)]
    by_option = [
        sys.executable,
        "-m",
        "pytest",
        *options,
        "--pyargs",
        "harness.testing",
        "--plugin",
        str(BAD),
    ]
    done = subprocess.run(by_line, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout
    done = subprocess.run(
        [*by_option, "-k", "m-good or m-mute"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 1, done.stdout
    assert "wanted: a definition of the number" in done.stdout


def test_a_badge_says_how_many_checks_hold():
    results = [Result("a", "b", status, "") for status in ("passed", "passed", "failed", "skipped")]
    assert lines_of(results)[-1] == "2 passed, 1 failed, 1 skipped"
    assert "2 of 3 checks" in badge_of(results)
