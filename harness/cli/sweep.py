"""`sweep FILE`: models × tasks × seeds × overrides, here, on Ray or on SLURM, and one board of it all."""

from __future__ import annotations

import argparse
import math
import os
import shlex
from dataclasses import asdict, replace
from typing import Any

from harness.api.errors import HarnessError, StageError
from harness.api.run import SilentProgress
from harness.engine.prepared import Bench
from harness.engine.run_dir import check_output, locked
from harness.engine.stage import go_offline
from harness.engine.standing import standing
from harness.sweep.choose import executor_of
from harness.sweep.conductor import FAILED, FOLDER, Conductor
from harness.sweep.executor import Executor
from harness.sweep.file import Sweep, read_sweep
from harness.sweep.plan import Plan, lay_out

from .output import say, write, write_json
from .parser import PROGRAM, add_verb
from .run_arguments import add_plugin_arguments, named, open_registry
from .sweep_board import as_json, print_board, summary
from .sweep_view import watching
from .tables import Table, print_table

SHOWN = 5  # cells of a plan, without --all


def add_parser(subparsers: Any) -> None:
    """Describe the verb."""
    parser = add_verb(
        subparsers,
        "sweep",
        "Carry out every combination of models, tasks, seeds and overrides that a file names, each as a run "
        "in a process of its own. The same command again continues: what is finished is found by its files.",
        "run-bench sweep sweep.toml --dry-run",
        "run-bench sweep sweep.toml --workers 2",
    )
    parser.add_argument(
        "file", type=named, metavar="FILE", help="settings as --config takes them, and a table [sweep]"
    )
    parser.add_argument(
        "--executor", choices=("local", "ray", "slurm"), help="where cells run (default: local)"
    )
    parser.add_argument("--workers", type=int, metavar="N", help="how many cells run at once")
    parser.add_argument("--budget-hours", type=float, metavar="H", help="stop after so many hours")
    parser.add_argument("--output", type=named, metavar="DIR", help="where runs are kept (default: runs)")
    parser.add_argument("--dry-run", action="store_true", help="print the plan")
    parser.add_argument("--all", action="store_true", help="with --dry-run: every cell, and how far it is")
    parser.add_argument("--offline", action="store_true", help="refuse every connection to another machine")
    parser.add_argument("--quiet", action="store_true", help="no progress")
    parser.add_argument("--json", action="store_true", help="print the result as JSON")
    add_plugin_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Plan, carry out, print; the exit code is that of the first failure."""
    sweep = read_sweep(
        args.file,
        os.environ,
        executor=args.executor,
        workers=args.workers,
        budget_hours=args.budget_hours,
    )
    asked = replace(sweep.asked, plugins=(*sweep.asked.plugins, *args.plugin))
    sweep = replace(sweep, asked=replace(asked, output=args.output or asked.output))
    if args.offline:
        go_offline()
    registry = open_registry(args, sweep.asked.plugins)
    plan = lay_out(registry, sweep, _flags(args))
    bench = Bench(registry, sweep.asked.output, SilentProgress(), offline=args.offline)
    if args.dry_run:
        return _print_plan(sweep, plan, bench, args)
    check_output(bench.output)
    with locked(bench.output, f"sweep-{plan.key}"):
        executor = executor_of(sweep.options, bench.output / FOLDER)
        conductor = _carry_out(sweep, plan, bench, executor, args)
    if args.json:
        write_json(as_json(conductor))
    else:
        print_board(conductor)
    return _exit_code(conductor)


def _flags(args: argparse.Namespace) -> list[str]:
    return [*(f"--no-plugin={name}" for name in args.no_plugin), *(["--offline"] if args.offline else [])]


def _carry_out(
    sweep: Sweep, plan: Plan, bench: Bench, executor: Executor, args: argparse.Namespace
) -> Conductor:
    quiet = args.quiet or args.json
    if not quiet:
        say(f"{len(plan):,} cell{'s' if len(plan) > 1 else ''}, {executor.describe()}")
    hours = sweep.options.budget_hours
    conductor = Conductor(
        plan,
        bench,
        executor,
        retries=sweep.options.retries,
        budget=math.inf if hours is None else hours * 3600,
        halving=sweep.halving,
    )
    try:
        with watching(quiet=quiet) as (conductor.watch, conductor.tell):
            conductor.run()
    except KeyboardInterrupt as stop:
        stop.add_note(summary(conductor))
        raise
    return conductor


def _exit_code(conductor: Conductor) -> int:
    failed = [fate.code for fate in conductor.fates.values() if fate.status == FAILED]
    if failed:
        return failed[0] if failed[0] > 0 else StageError.exit_code
    if conductor.spent and len(conductor.fates) < len(conductor.plan):
        raise StageError(
            f"the budget is spent, {len(conductor.plan) - len(conductor.fates):,} cells are left",
            hint="what is finished is kept, and the same command continues",
        )
    return 0


def _print_plan(sweep: Sweep, plan: Plan, bench: Bench, args: argparse.Namespace) -> int:
    """Print what would run; with --all every cell, and how far it is."""
    shown = plan if args.all else plan[:SHOWN]
    cells: list[dict[str, Any]] = []
    for trial in shown:
        facts = {"cell": str(trial), "command": shlex.join([PROGRAM, *plan.command(trial)])}
        cells.append(facts | ({"state": _state(plan, bench, trial.number)} if args.all else {}))
    about: dict[str, Any] = {
        "cells": len(plan),
        "models": list(plan.models),
        "tasks": list(plan.tasks),
        "seeds": [seed for seed in plan.seeds if seed is not None],
        "overrides": [list(map(dict, axis)) for axis in plan.axes],
        "executor": sweep.options.executor,
        "retries": sweep.options.retries,
        "budget in hours": sweep.options.budget_hours,
        "halving": None if sweep.halving is None else asdict(sweep.halving),
    }
    if args.json:
        write_json({**about, "planned": cells})
        return 0
    rows = [[key, _shown(value)] for key, value in about.items() if value not in (None, [])]
    print_table(Table("", ["what would run", ""], list(rows)), left=True)
    write("\n")
    for cell in cells:
        write(
            "".join(
                f"{text}\n" for text in (f"{cell['cell']}{cell.get('state', '')}", f"  {cell['command']}")
            )
        )
    if len(shown) < len(plan):
        write(f"and {len(plan) - len(shown):,} more, which --all shows\n")
    return 0


def _state(plan: Plan, bench: Bench, number: int) -> str:
    try:
        found = standing(bench, plan.cell(bench.registry, plan[number]))
    except HarnessError as error:
        return f": would fail: {error.message}"
    return ": to be run" if found.record is None else f": finished, {found.directory}"


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{key} {_shown(item)}" for key, item in value.items())
    return ", ".join(map(_shown, value)) if isinstance(value, list | tuple) else str(value)
