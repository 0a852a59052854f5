"""Command line: one subcommand per rule of the workflow, plus those people use themselves.

Exit codes: 0 done, 2 wrong usage or parameters, 3 bad data, 4 a file is not what its manifest says.
"""

import argparse
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from codeii.reporting.study import Inputs

BAD_DATA, BROKEN = 3, 4  # argparse itself exits with 2
NEEDS = ("records", "targets", "runs", "predictions", "scores", "submissions")
REPORT_NEEDS = ("tables", "figures", "records", "runs", "scores")
Arguments = argparse.Namespace


def synthesise(args: Arguments) -> None:
    """Write the synthetic twin of a source in the source's own format."""
    from codeii.synthetic.build import synthesise

    synthesise(args.source, args.settings, args.code, args.out)


def fetch(args: Arguments) -> None:
    """Take a local copy of a source into the study: list and hash its files."""
    from codeii.fetch.build import fetch

    fetch(args.source, args.settings, args.code, args.out)


def records(args: Arguments) -> None:
    """Read a source into the record store; faulty records are excluded singly and named."""
    from codeii.records.build import build_records

    build_records(args.raw, args.source, args.settings, args.code, args.out)


def tensors(args: Arguments) -> None:
    """Filter, resample and cut the records of a source into tensors of one shape."""
    from codeii.tensors.build import build_tensors

    build_tensors(args.records, args.settings, args.code, args.out)


def targets(args: Arguments) -> None:
    """Give every record of a task its split and its 0/1 targets."""
    from codeii.tensors.targets import build_targets

    build_targets(args.records, args.settings, args.code, args.out)


def train(args: Arguments) -> None:
    """Train one network; resumes from --scratch if it was interrupted."""
    from codeii.training.run import train

    train(args.tensors, args.targets, args.init, args.settings, args.code, args.out, args.scratch)


def predict(args: Arguments) -> None:
    """Write the logits of one run for its validation and test records and exams."""
    from codeii.prediction.run import predict

    predict(args.checkpoint, args.tensors, args.targets, args.settings, args.code, args.out)


def submit(args: Arguments) -> None:
    """Write the predictions file for a test set whose labels are withheld."""
    from codeii.prediction.submission import submit

    submit(args.checkpoints, args.tensors, args.settings, args.code, args.out)


def evaluate(args: Arguments) -> None:
    """Score the predictions of one experiment and model, with intervals and paired differences."""
    from codeii.evaluation.run import evaluate

    evaluate(args.predictions, args.targets, args.settings, args.code, args.out)


def tracking_store(args: Arguments) -> None:
    """Create and migrate the MLflow database."""
    from codeii.tracking.run import prepare_store

    prepare_store(args.settings, args.out)


def track(args: Arguments) -> None:
    """Mirror the finished runs of one experiment into MLflow."""
    from codeii.tracking.run import track

    track(args.runs, args.scores, args.settings, args.code, args.out)


def table(args: Arguments) -> None:
    """Make one table of the report."""
    from codeii.reporting.build import make_table

    make_table(args.name, _reported(args, NEEDS), args.settings, args.code, args.out)


def figure(args: Arguments) -> None:
    """Draw one figure of the report."""
    from codeii.reporting.build import make_figure

    make_figure(args.name, _reported(args, NEEDS), args.settings, args.code, args.out)


def report(args: Arguments) -> None:
    """Put tables and figures into one page that reads offline."""
    from codeii.reporting.report import make_report

    make_report(_reported(args, REPORT_NEEDS), args.settings, args.code, args.out)


def verify(args: Arguments) -> None:
    """Check every artefact against params.yaml, the code and its hashes."""
    from codeii.artifacts.manifest import IntegrityError
    from codeii.checks.verify import verify
    from codeii.workflow.load import load_params

    faults, artefacts, size = verify(load_params(args.params), args.stage)
    if faults:
        raise IntegrityError("\n".join([*faults, f"{len(faults)} faults in {artefacts} artefacts"]))
    print(f"verified: {artefacts} artefacts, {size / 1e6:.0f} MB, all current")


def plan(args: Arguments) -> None:
    """Show jobs, sizes and time by stage before anything starts."""
    from codeii.checks.plan import as_text, plan
    from codeii.workflow.load import load_params

    print(as_text(plan(load_params(args.params)), args.cores))


def headline(args: Arguments) -> None:
    """Print the headline results of a finished study and the path of its report."""
    from codeii.checks.headline import headline_text

    print(headline_text(args.published))


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; faults are a sentence on the standard error, never a stack trace."""
    args = _parser().parse_args(argv)
    from codeii.artifacts.manifest import IntegrityError

    try:
        args.run(args)
    except IntegrityError as error:
        print(f"codeii {args.command}: {error}", file=sys.stderr)
        return BROKEN
    except (ValueError, OSError) as error:
        print(f"codeii {args.command}: {error}", file=sys.stderr)
        return BAD_DATA
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="codeii",
        description="Rebuild the CODE-II study, from raw electrocardiograms to the report. Research use only.",
        epilog="examples:\n  codeii plan\n  snakemake --cores all\n  codeii verify\n\n"
        "The commands below `verify` are the jobs of the workflow; `snakemake -np` prints each with its arguments.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_subparsers(dest="command", required=True, metavar="COMMAND").add_parser
    _for_people(add)
    _for_data(add)
    _for_runs(add)
    _for_report(add)
    return parser


def _for_people(add: Callable[..., argparse.ArgumentParser]) -> None:
    for run, example in ((plan, "codeii plan --params params.yaml config/paper.yaml"), (verify, "codeii verify")):
        command = _command(add, run, example)
        command.add_argument(
            "--params",
            type=Path,
            nargs="+",
            default=[Path("params.yaml")],
            metavar="YAML",
            help="parameters of the study; later files change earlier ones (default: params.yaml)",
        )
        if run is verify:
            stages = ("raw", "tensors", "runs", "scores")
            command.add_argument("--stage", choices=stages, help="only up to this stage of dvc.yaml (default: all)")
        if run is plan:
            command.add_argument("--cores", type=int, default=2, help="cores the time is given for (default: 2)")

    command = _command(add, headline, "codeii headline")
    folder = Path("results/published")
    command.add_argument("--published", type=Path, default=folder, metavar="FOLDER", help=f"default: {folder}")


def _for_data(add: Callable[..., argparse.ArgumentParser]) -> None:
    example = "codeii {} --source ptbxl --settings '{{...}}' --code 0123abcd --out data/raw/ptbxl/1.0.3"
    for run in (synthesise, fetch):
        command = _job(add, run, example.format(run.__name__))
        command.add_argument("--source", required=True, help="a name under `sources` of params.yaml")
    command = _job(add, records, "codeii records --source ptbxl --raw data/raw/ptbxl/1.0.3/manifest.json ...")
    command.add_argument("--source", required=True, help="a name under `sources` of params.yaml")
    _manifests(command, "raw")
    for run in (tensors, targets):
        command = _job(add, run, f"codeii {run.__name__} --records results/records/ptbxl/manifest.json ...")
        _manifests(command, "records")


def _for_runs(add: Callable[..., argparse.ArgumentParser]) -> None:
    command = _job(add, train, "codeii train --tensors T/manifest.json --targets Y/manifest.json --scratch S ...")
    _manifests(command, "tensors", "targets")
    command.add_argument("--init", type=Path, metavar="MANIFEST", help="manifest of the checkpoint to start from")
    command.add_argument("--scratch", type=Path, required=True, metavar="FOLDER", help="state to resume from")
    command = _job(add, predict, "codeii predict --checkpoint results/runs/.../manifest.json ...")
    _manifests(command, "checkpoint", "tensors", "targets")
    command = _job(add, submit, "codeii submit --checkpoints results/runs/.../seed0/manifest.json ...")
    _manifests(command, "tensors")
    _manifests(command, "checkpoints", many=True)
    command = _job(add, evaluate, "codeii evaluate --predictions results/predictions/.../manifest.json ...")
    _manifests(command, "targets")
    _manifests(command, "predictions", many=True)
    command = _command(add, tracking_store, "codeii tracking_store --settings '{...}' --out results/tracking")
    _settings_and_out(command)
    _manifests(_job(add, track, "codeii track --runs R... --scores S... ..."), "runs", "scores", many=True)


def _for_report(add: Callable[..., argparse.ArgumentParser]) -> None:
    for run in (table, figure):
        command = _job(add, run, f"codeii {run.__name__} --name headline --scores results/scores/.../manifest.json ...")
        command.add_argument("--name", required=True, help=f"a file of src/codeii/reporting/{run.__name__}s")
        _manifests(command, *NEEDS, many=True)
    command = _job(add, report, "codeii report --tables T... --figures F... --out results/published ...")
    _manifests(command, *REPORT_NEEDS, many=True)


def _command(
    add: Callable[..., argparse.ArgumentParser], run: Callable[[Arguments], None], example: str
) -> argparse.ArgumentParser:
    text = run.__doc__ or ""
    command = add(
        run.__name__,
        help=text,
        description=text,
        epilog=f"example:\n  {example}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    command.set_defaults(run=run)
    return command


def _job(
    add: Callable[..., argparse.ArgumentParser], run: Callable[[Arguments], None], example: str
) -> argparse.ArgumentParser:
    command = _command(add, run, example)
    _settings_and_out(command)
    command.add_argument("--code", required=True, metavar="HASH", help="fingerprint of the code, for the manifest")
    return command


def _settings_and_out(command: argparse.ArgumentParser) -> None:
    command.add_argument("--settings", type=_settings, required=True, metavar="JSON", help="as the rules pass them")
    command.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="where the artefact is written")


def _manifests(command: argparse.ArgumentParser, *names: str, many: bool = False) -> None:
    for name in names:
        if many:
            command.add_argument(
                f"--{name}", type=Path, nargs="*", default=[], metavar="MANIFEST", help=f"of the {name}"
            )
        else:
            command.add_argument(f"--{name}", type=Path, required=True, metavar="MANIFEST", help=f"of the {name}")


def _reported(args: Arguments, kinds: Sequence[str]) -> "Inputs":
    from codeii.reporting.study import Inputs

    return Inputs(**{kind: tuple(getattr(args, kind)) for kind in kinds})


def _settings(text: str) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError("settings are a JSON object")
    return value


if __name__ == "__main__":
    sys.exit(main())
