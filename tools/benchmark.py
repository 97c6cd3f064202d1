"""Train and test the rows of a suite over seeds, and write their table.

    python tools/benchmark.py SUITE [--jobs 2] [--threads 1] [--rows A B] [--seeds 0 1 2]

Each finished row and seed leaves RESULTS/<suite>/<row>/seed<k>.json and is not run again. A run
that was stopped, by any signal, goes on from its last checkpoint when the same command is given
again. The table (table.md, table.csv, table.png, and profile.png if the suite asks for one, in
RESULTS/<suite>) covers all finished runs of the suite, whichever rows and seeds were asked for.

    python tools/benchmark.py SUITE --measure-costs 24     # on a machine that does nothing else

trains some steps of each row alone, one row after the other; the table then shows these times.

With --rerun-changed, a run of which only the test has changed (test_* of its config) is not trained
again; its weights are tested again.

Exit status: 0; 1 if a run failed; 2 for mistakes in the suite or its configs.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path

from ovmlv.benchmarking import Suite, load_suite
from ovmlv.benchmarking.figure import draw_profile, draw_report
from ovmlv.benchmarking.report import make_report
from ovmlv.benchmarking.results import read_result
from ovmlv.benchmarking.scheduler import Plan, Scheduler, make_cost_plan, make_plan, read_costs
from ovmlv.benchmarking.tables import markdown, write_csv
from ovmlv.errors import ConfigError
from ovmlv.files import write_text
from ovmlv.utils.cli import CfgOptions, add_debug_argument, make_parser
from ovmlv.utils.error_door import run_tool


def parse_args(argv: list[str] | None = None) -> argparse.Namespace:
    parser = make_parser(__doc__)
    parser.add_argument('suite', help='suite file, such as benchmarks/motionshapes.py')
    parser.add_argument('--rows', nargs='+', help='only these rows, and those that they need')
    parser.add_argument(
        '--seeds', nargs='+', type=int, help='only these seeds, or others than the suite has'
    )
    parser.add_argument(
        '--jobs', type=int, default=1, help='runs at the same time (default: %(default)s)'
    )
    parser.add_argument(
        '--threads', type=int, default=1, help='threads of a run (default: %(default)s)'
    )
    parser.add_argument(
        '--budget-seconds', type=float, help='time of training for every row, in seconds'
    )
    parser.add_argument('--results', default='results', help='folder of the result files')
    parser.add_argument(
        '--work-dir', default='work_dirs/benchmark', help='folder for logs and checkpoints'
    )
    parser.add_argument(
        '--cfg-options', nargs='+', action=CfgOptions, help='changes of every config: key=value'
    )
    instead = parser.add_mutually_exclusive_group()
    instead.add_argument(
        '--list',
        action='store_true',
        help='only list which runs are done and which are not',
    )
    instead.add_argument('--table-only', action='store_true', help='only write the table')
    instead.add_argument(
        '--measure-costs', type=int, metavar='STEPS', help='only measure the time of a step'
    )
    changed = parser.add_mutually_exclusive_group()
    changed.add_argument(
        '--rerun-changed',
        action='store_true',
        help='run again what another version of the config gave',
    )
    changed.add_argument(
        '--keep-changed', action='store_true', help='take such results into the table as they are'
    )
    parser.add_argument('--interval', type=float, default=30.0, help='seconds between reports')
    add_debug_argument(parser)
    return parser.parse_args(argv)


def settle_changed(plan: Plan, args: argparse.Namespace) -> None:
    """Decide about results that another config gave; mixing them silently would mislead."""
    if not plan.changed or args.keep_changed:
        return
    if not args.rerun_changed:
        raise ConfigError(
            f'results of {name_some([job.name for job in plan.changed])} were made with other '
            'configs than now; give --rerun-changed to redo them or --keep-changed to keep them'
        )
    plan.open = [job for job in plan.jobs if job in plan.open or job in plan.changed]


def name_some(names: Sequence[str]) -> str:
    some = ', '.join(names[:5])
    return f'{some} and {len(names) - 5} more' if len(names) > 5 else some


def write_tables(suite: Suite, plan: Plan, args: argparse.Namespace) -> None:
    """Write the tables and the picture of what is finished."""
    results: dict = {}
    others = []
    for job in plan.jobs:
        result = read_result(job.result)
        if result is None:
            continue
        if args.keep_changed or result['config_digest'] == plan.digests[job]:
            results.setdefault(job.row, {})[job.seed] = result
        else:
            others.append(job.name)
    if others:
        print(
            f'not in the table, since made with other configs than now: {name_some(others)}; '
            '--rerun-changed redoes them, --keep-changed takes them as they are'
        )
    if not results:
        print('no results yet, so no table')
        return
    costs, changed = read_costs(suite, args.results, args.cfg_options)
    if changed and not args.keep_changed:
        print(
            f'times not in the table, since measured with other configs than now: '
            f'{name_some(changed)}; --measure-costs measures anew, --keep-changed takes them'
        )
        costs = {row: cost for row, cost in costs.items() if row not in changed}
    report = make_report(suite, results, costs)
    folder = Path(args.results) / suite.name
    command = f'python tools/benchmark.py {shlex.join(sys.argv[1:])}'
    write_text(folder / 'table.md', markdown(report, command))
    write_csv(report, folder / 'table.csv')
    draw_report(report, folder / 'table.png')
    profile = draw_profile(report, folder / 'profile.png')
    print((folder / 'table.md').read_text(encoding='utf-8'))
    also = ', profile.png' if profile else ''
    print(f'written: {folder}/table.md, table.csv, table.png{also}')


def main(args: argparse.Namespace) -> int:
    refuse_contradictions(args)
    suite = load_suite(args.suite)
    part = suite.select(args.rows)
    plan = make_plan(
        suite, args.results, args.work_dir, args.seeds, args.budget_seconds, args.cfg_options
    )
    if args.measure_costs is not None:
        work = make_cost_plan(
            part, args.results, args.work_dir, args.measure_costs, args.cfg_options
        )
        return run(work, plan, suite, args)
    if args.table_only:
        return run(None, plan, suite, args)
    work = plan.only(part, args.seeds)
    if not args.list:
        settle_changed(work, args)
    finished = len(work.jobs) - len(work.open)
    print(f'{suite.name}: {len(part.rows)} rows, {len(work.jobs)} runs, {finished} finished')
    if args.list:
        for job in work.jobs:
            state = 'open' if job in work.open else 'changed' if job in work.changed else 'done'
            print(f'{state:8} {job.name:40} {job.config}')
        return 0
    return run(work, plan, suite, args)


def refuse_contradictions(args: argparse.Namespace) -> None:
    if args.measure_costs is not None and args.measure_costs < 1:
        raise ConfigError(f'--measure-costs {args.measure_costs}: at least 1 step')
    if args.rerun_changed and (args.table_only or args.measure_costs is not None):
        raise ConfigError(
            '--rerun-changed: nothing is run again with --table-only or --measure-costs; '
            'leave one of them out'
        )


def run(work: Plan | None, plan: Plan, suite: Suite, args: argparse.Namespace) -> int:
    """Run what is open in ``work``, and write the table of ``plan``."""
    failed = []
    if work is not None:
        work.refuse_missing_data()
        jobs = (
            args.jobs if args.measure_costs is None else 1
        )  # side by side they would slow one another
        scheduler = Scheduler(
            work, jobs, args.threads, lambda line: print(line, flush=True), args.interval
        )
        failed = scheduler.run()
    write_tables(suite, plan, args)
    for job in failed:
        print(f'failed: {job.name}, see {job.work_dir}/job.log', file=sys.stderr)
    return int(bool(failed))


if __name__ == '__main__':
    sys.exit(run_tool(main, parse_args()))
