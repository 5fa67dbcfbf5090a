"""`pose2pose-train check-data CONFIG`: are the data sets of a configuration complete, readable and rightly understood?

For each of them: what is missing and where to get it, how many samples and pictures there are, which pictures cannot
be opened, how far labels and fits lie apart, and a sheet of samples to look at. The exit status is 1 if something is
wrong.
"""

import argparse
from pathlib import Path

from .body_models.human_models import build_human_model
from .checking.data_findings import Finding, check_entry
from .config import Config, load_config

OPENED = 64
"""Samples that are opened if not all are asked for."""
DRAWN = 24
NAMED = 10
"""Problems that are printed; the file has all."""
PROBLEMS = "problems.txt"


def add_command(subparsers: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Add `check-data` to the commands of `pose2pose-train`."""
    parser = subparsers.add_parser(
        "check-data", help="count the files of data sets, draw samples, name what is missing", description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    parser.add_argument("config", metavar="CONFIG", help="TOML file, or the name of a published experiment")
    parser.add_argument(
        "changes", nargs="*", metavar="CHANGE", help="+NAME merges another file, key=value sets one value"
    )
    parser.add_argument(
        "-o", "--output", type=Path, default=Path("check-data"), metavar="FOLDER", help="of the sheets (./check-data)"
    )
    parser.add_argument("--all", action="store_true", help=f"open every picture, not {OPENED} of each data set")
    parser.add_argument("--draw", type=int, default=DRAWN, metavar="COUNT", help=f"samples in a sheet ({DRAWN})")
    parser.set_defaults(run=run_check)


def run_check(options: argparse.Namespace) -> int:
    """`pose2pose-train check-data`; 1 if something is wrong."""
    config = load_config(options.config, options.changes)
    opened = None if options.all else OPENED
    findings = check_data(config, options.output, opened=opened, drawn=options.draw)
    for finding in findings:
        print(_text(finding))
    return int(any(finding.problems for finding in findings))


def check_data(config: Config, folder: Path, *, opened: int | None, drawn: int) -> list[Finding]:
    """Check all data sets of a configuration.

    Args:
        config: whose `data.train` and `data.test` are checked.
        folder: for sheets and, if there are any, the list of problems.
        opened: how many samples of each are opened; None for all.
        drawn: how many are drawn.

    Raises:
        MissingModelError: the human model is missing.
    """
    models = Path(config.models.folder) if config.models.folder else None
    model = build_human_model(config.network.part, models)
    folder.mkdir(parents=True, exist_ok=True)
    entries = list(dict.fromkeys([*config.data.train, *config.data.test]))
    if not entries:
        return [Finding("data", [], ["data.train and data.test are empty: name data sets"])]
    findings = [check_entry(entry, config, model, models, folder, opened=opened, drawn=drawn) for entry in entries]
    problems = [f"{finding.title}: {problem}\n" for finding in findings for problem in finding.problems]
    (folder / PROBLEMS).unlink(missing_ok=True)
    if problems:
        (folder / PROBLEMS).write_text("".join(problems), encoding="utf-8")
    return findings


def _text(finding: Finding) -> str:
    wrong = [f"  WRONG: {problem}" for problem in finding.problems[:NAMED]]
    more = len(finding.problems) - NAMED
    if more > 0:
        wrong.append(f"  and {more} more, all in {PROBLEMS}")
    return "\n".join([finding.title, *(f"  {fact}" for fact in finding.facts), *wrong])
