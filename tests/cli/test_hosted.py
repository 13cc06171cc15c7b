"""Verbs that plugins bring are found, explained and run, and their faults are put to them."""

from __future__ import annotations

import pytest

from harness.cli.main import VERBS, verbs
from harness.engine import bundled

VERB = """
    from harness import DataSpec, Verb, VerbEntry, hookimpl


    class Count(Verb):
        '''Count the rows of a task.'''

        def add_arguments(self, parser):
            parser.add_argument("task", help="a task")

        def run(self, args, bench):
            view = bench.open_task(args.task, DataSpec())
            bench.show("rows", ["task", "rows"], [[view.name, str(len(view.examples))]])
            bench.say(f"scored by {', '.join(view.metrics)}")
            return 3


    class Fails(Verb):
        def run(self, args, bench):
            raise KeyError("smiles")


    @hookimpl
    def harness_verbs():
        return [
            VerbEntry("count", "count rows", f"{__name__}:Count", examples=("run-bench count toy",)),
            VerbEntry("fails", "fail", f"{__name__}:Fails"),
            VerbEntry("odd", "be no verb", f"{__name__}:DataSpec"),
            VerbEntry("list", "take a name of the program's own", f"{__name__}:Fails"),
        ]
"""


@pytest.fixture
def plugin(write_plugin):
    return write_plugin(VERB, "counting")


def test_a_strangers_verb_runs_on_the_workbench_and_its_exit_code_is_the_programs(main, plugin):
    done = main("count", "toy", "--plugin", plugin)
    assert done.code == 3, done.err
    assert done.out.splitlines()[-1].split() == ["toy", "23"]
    assert done.err == "scored by letter-accuracy\n"


def test_its_help_is_its_docstring_arguments_and_examples(run_bench, plugin):
    done = run_bench("count", "--plugin", plugin, "--help")
    assert done.code == 0
    for said in ("usage: run-bench count", "Count the rows of a task.", "a task", "  run-bench count toy"):
        assert said in done.out
    assert "--no-plugin" in done.out


def test_a_misspelt_verb_is_near_those_of_plugins_too(main, plugin):
    for wrong, near in (("cuont", "count"), ("comparre", "compare"), ("scroe", "score")):
        done = main(wrong, "--plugin", plugin)
        assert done.code == 2 and f"no verb named '{wrong}'" in done.err and near in done.err


def test_a_verb_that_fails_or_is_none_is_its_plugins_fault(main, plugin):
    failed = main("fails", "--plugin", plugin)
    assert failed.code == 3
    assert "verb 'fails' of plugin 'counting' failed: KeyError: 'smiles'" in failed.err
    odd = main("odd", "--plugin", plugin)
    assert odd.code == 3 and "no subclass of Verb" in odd.err


def test_the_programs_own_verbs_come_first_and_a_full_name_finds_the_other(main, plugin):
    assert "toy" in main("list", "models", "--plugin", plugin).out
    assert "KeyError" in main("counting/list", "--plugin", plugin).err


def test_what_a_plugin_brings_is_listed_with_it(main, plugin):
    done = main("plugins", "--plugin", plugin)
    (row,) = [line for line in done.out.splitlines() if line.split()[1:2] == ["counting"]]
    assert "4 verbs: count, fails, odd, list" in row


def test_a_plugin_that_is_left_out_takes_its_verbs_along(main):
    done = main("compare", "--no-plugin", "leaderboards", "a", "b")
    assert done.code == 2 and "no verb named 'compare'" in done.err


def test_the_first_page_of_help_knows_every_bundled_verb(load):
    brought = {entry.name: entry.summary for entry in (item.entry for item in load().verbs)}
    assert {entry.name: entry.summary for entry in bundled.verbs()} == brought
    assert verbs() == VERBS | brought and not VERBS.keys() & brought.keys()


def test_a_fault_in_what_a_bundled_verb_calls_is_no_plugins(main, monkeypatch):
    def fails(*_, **__):
        raise KeyError("internal")

    monkeypatch.setattr("harness.leaderboards.verbs.compare.compare", fails)
    done = main("compare", "a", "b")
    assert done.code == 1 and "this is a fault of the program" in done.err
