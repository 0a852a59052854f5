"""What each subcommand runs. Rooms are imported where their verb is used, so that small jobs start fast."""

import argparse
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from codeii.reporting.study import Inputs

NEEDS = ("records", "targets", "runs", "predictions", "scores", "submissions", "leakage")
REPORT_NEEDS = ("tables", "figures", "records", "runs", "scores", "leakage")
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


def descriptors(args: Arguments) -> None:
    """Describe the recordings of a source, so that copies of them can be found."""
    from codeii.leakage.build import build_descriptors

    build_descriptors(args.records, args.settings, args.code, args.out)


def duplicates(args: Arguments) -> None:
    """Find recordings that occur twice, in any form, inside and across all sources."""
    from codeii.leakage.find import find_duplicates

    find_duplicates(args.records, args.descriptors, args.settings, args.code, args.out)


def leakage(args: Arguments) -> None:
    """Stop where a recording or patient reaches from training into a test, unless it is waived."""
    from codeii.leakage.gate import check_leakage

    check_leakage(args.duplicates, args.targets, args.settings, args.code, args.out)


def train(args: Arguments) -> None:
    """Train one network; resumes from --scratch if it was interrupted."""
    from codeii.training.run import train

    train(args.tensors, args.targets, args.init, args.settings, args.code, args.out, args.scratch)


def predict(args: Arguments) -> None:
    """Write the logits of an experiment's runs for its validation and test records and exams."""
    from codeii.prediction.run import predict

    predict(args.checkpoints, args.tensors, args.targets, args.settings, args.code, args.out)


def submit(args: Arguments) -> None:
    """Write the predictions file for a test set whose labels are withheld."""
    from codeii.prediction.submission import submit

    submit(args.checkpoints, args.tensors, args.settings, args.code, args.out)


def evaluate(args: Arguments) -> None:
    """Score the predictions of one experiment and model, with intervals and paired differences."""
    from codeii.evaluation.run import evaluate

    evaluate(args.predictions, args.targets, args.leakage, args.settings, args.code, args.out)


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

    found = verify(load_params(args.params), args.stage)
    if found.faults:
        raise IntegrityError("\n".join([*found.faults, f"{len(found.faults)} faults in {found.artefacts} artefacts"]))
    if found.of_other_environments:
        print(f"note: {found.of_other_environments} artefacts were made in another environment than this one")
    print(f"verified: {found.artefacts} artefacts, {found.bytes_hashed / 1e6:.0f} MB, all current")


def plan(args: Arguments) -> None:
    """Show jobs, sizes and time by stage before anything starts."""
    from codeii.checks.plan import as_text, measured_seconds, plan
    from codeii.workflow.load import load_params

    if args.measured:
        print(measured_seconds())
        return
    print(as_text(plan(load_params(args.params)), args.cores))


def headline(args: Arguments) -> None:
    """Print the headline results of a finished study and the path of its report."""
    from codeii.checks.headline import headline_text

    print(headline_text(args.published))


def _reported(args: Arguments, kinds: Sequence[str]) -> "Inputs":
    from codeii.reporting.study import Inputs

    return Inputs(**{kind: tuple(getattr(args, kind)) for kind in kinds})
