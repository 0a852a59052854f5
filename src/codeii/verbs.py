"""What each subcommand runs. Rooms are imported where their verb is used, so that small jobs start fast."""

import argparse
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from codeii.schema.needs import NEEDS, OF_REPORT, OF_RESULTS

if TYPE_CHECKING:
    from codeii.reporting.study import Inputs

Arguments = argparse.Namespace


def synthesise(args: Arguments) -> None:
    """Write the synthetic twin of a source in the source's own format."""
    from codeii.synthetic.build import synthesise

    synthesise(args.source, args.settings, args.code, args.out)


def fetch(args: Arguments) -> None:
    """Bring a source into the study: fetch and check its files, or list those of a local copy."""
    from codeii.fetch.build import How, fetch

    as_a_job = (args.source, args.settings, args.code, args.out)
    if (args.name is None) == (None in as_a_job):
        args.wrong_usage("name a SOURCE, or give --source, --settings, --code and --out as the rule does")
    source, settings, code, folder = as_a_job if args.name is None else _looked_up(args)
    fetch(source, settings, code, folder, How(args.accept_licence, args.offline, args.connections))


def _looked_up(args: Arguments) -> tuple[str, dict[str, Any], str, Path]:
    """What the rule would pass for this source; the working directory becomes that of the study."""
    from codeii.workflow.awaiting import awaits, why_awaited
    from codeii.workflow.data_jobs import raw_job
    from codeii.workflow.load import load_params
    from codeii.workflow.plugins import check_name

    params = load_params(args.params)
    check_name("SOURCE", args.name, list(params.sources))
    if awaits(params, args.name):
        raise ValueError(why_awaited(params, args.name))
    if (origin := params.sources[args.name].origin) not in ("primary", "archive", "local"):
        files = " ".join(str(path) for path in args.params)
        raise ValueError(f"sources.{args.name}.origin is {origin} in {files}: there is nothing to fetch")
    args.directory.mkdir(parents=True, exist_ok=True)
    os.chdir(args.directory)
    job = raw_job(params, args.name)
    return args.name, job.settings, job.code, Path(job.folder)


def record_shard(args: Arguments) -> None:
    """Read one shard of a source into records; faulty records are excluded singly and named."""
    from codeii.records.build import build_record_shard

    build_record_shard(args.raw, args.source, args.settings, args.code, args.out)


def records(args: Arguments) -> None:
    """Judge the shards of a source as a whole and gather them into its record store."""
    from codeii.records.build import gather_records

    gather_records(args.shards, args.source, args.settings, args.code, args.out)


def tensor_shard(args: Arguments) -> None:
    """Filter, resample and cut the records of one shard into tensors of one shape."""
    from codeii.tensors.build import build_tensor_shard

    build_tensor_shard(args.records, args.settings, args.code, args.out)


def audit(args: Arguments) -> None:
    """Judge the records of a source against its card, its publishers' numbers and its known faults."""
    from codeii.audit.run import audit

    audit(args.records, args.raw, args.settings, args.code, args.out)


def tensors(args: Arguments) -> None:
    """Gather the tensors of a source's shards into one store."""
    from codeii.tensors.build import gather_tensors

    gather_tensors(args.shards, args.settings, args.code, args.out)


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


def weights(args: Arguments) -> None:
    """Read weights published by others from their file into a checkpoint to start from."""
    from codeii.training.published import import_weights

    import_weights(args.file, args.settings, args.code, args.out)


def train(args: Arguments) -> None:
    """Train one network; resumes from --scratch if it was interrupted."""
    from codeii.training.run import train

    inputs = (args.tensors, args.targets, args.init)
    train(*inputs, args.settings, args.code, args.out, args.scratch, args.max_minutes)


def predict(args: Arguments) -> None:
    """Write the logits of an experiment's runs for its validation and test records and exams."""
    from codeii.prediction.run import predict

    predict(args.checkpoints, args.tensors, args.targets, args.settings, args.code, args.out)


def submit(args: Arguments) -> None:
    """Write the predictions file for a blind test; or check such a file, or score it against the key."""
    if args.check or args.score:
        _judge_submission(args)
        return
    if None in (args.tensors, args.settings, args.code, args.out):
        args.wrong_usage("say --check FILE or --score FILE --key FILE, or give everything the rule gives")
    from codeii.prediction.submission import submit

    submit(args.checkpoints, args.tensors, args.settings, args.code, args.out)


def _judge_submission(args: Arguments) -> None:
    """Check a predictions file, and with a key score it. Raises ValueError that lists every fault."""
    from codeii.artifacts.manifest import sha256_of
    from codeii.artifacts.submission import CARD, read_card
    from codeii.prediction.check import check_file, exams_at_hand

    path = args.check or args.score
    if args.score and args.key is None:
        args.wrong_usage("--score needs --key FILE: exam_id and one 0/1 column per class")
    card_file = args.card or path.parent / CARD
    card = read_card(card_file)
    for sentence in check_file(path, card, exams_at_hand(args.exams, card)):
        print(sentence)
    if args.score:
        from codeii.evaluation.blind import Resampling, in_words, score_file

        scores = score_file(path, args.key, card.classes, Resampling(replicates=args.replicates))
        print(in_words(scores))
        if args.table:
            from codeii.artifacts.atomic import write_text

            write_text(args.table, scores.to_csv(index=False, lineterminator="\n"))
            print(f"Every class: {args.table}")
    print(f"Quote this submission as sha256:{sha256_of(card_file)}")


def evaluate(args: Arguments) -> None:
    """Score the predictions of one experiment and model, with intervals."""
    from codeii.evaluation.run import evaluate

    evaluate(args.predictions, args.targets, args.leakage, args.settings, args.code, args.out)


def compare(args: Arguments) -> None:
    """Compare all that was trained for a task: paired differences, tests, curves over the amount of data."""
    from codeii.evaluation.compare import compare

    compare(args.scores, args.predictions, args.targets, args.settings, args.code, args.out)


def analyse(args: Arguments) -> None:
    """Look beyond the scores of one experiment and model: calibration, subgroups, which classes are confused."""
    from codeii.evaluation.analyse import analyse

    analyse(args.predictions, args.targets, args.settings, args.code, args.out)


def explain(args: Arguments) -> None:
    """Choose what a network got wrong, and say on which samples its answers rest."""
    from codeii.prediction.explain import explain

    inputs = (args.checkpoint, args.tensors, args.targets, args.scores)
    explain(*inputs, args.settings, args.code, args.out)


def reproduce(args: Arguments) -> None:
    """Set the study beside what was published: a verdict for each cell and each claim."""
    from codeii.reproduction.run import reproduce

    reproduce(args.scores, args.comparisons, args.settings, args.code, args.out)


def gate(args: Arguments) -> None:
    """Print the verdicts of a finished study; ends with 5 where a number or claim differs from what was published."""
    from codeii.checks.gate import DIFFERS, gate

    text, differs = gate(args.results)
    print(text)
    if differs:
        raise SystemExit(DIFFERS)


def tracking_store(args: Arguments) -> None:
    """Create and migrate the MLflow database."""
    from codeii.tracking.run import prepare_store

    prepare_store(args.settings, args.out)


def track(args: Arguments) -> None:
    """Mirror runs into MLflow: those of a study while it trains (--follow), or one experiment's when they are done."""
    if args.follow:
        _follow(args)
        return
    if None in (args.settings, args.code, args.out, args.scratch):
        args.wrong_usage("say --follow, or give --settings, --code, --scratch and --out as the rule does")
    from codeii.tracking.run import track

    track(args.runs, args.scores, args.settings, args.code, args.out, args.scratch)


def track_page(args: Arguments) -> None:
    """Mirror the finished page, its tables and figures into MLflow."""
    from codeii.tracking.page import track_page

    track_page(args.report, args.parts, args.settings, args.code, args.out)


def _follow(args: Arguments) -> None:
    """Until Ctrl-C or SIGTERM."""
    import signal
    from threading import Event

    from codeii.tracking.follow import follow, say_aloud
    from codeii.workflow.load import load_params

    params, stop = load_params(args.params), Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    os.chdir(args.directory)
    say_aloud(f"following the runs below {Path('scratch').resolve()}; Ctrl-C ends it, and no run with it")
    follow(params.tracking.uri, params.study, stop, say_aloud)


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

    make_report(_reported(args, ("tables", "figures", *OF_REPORT)), args.settings, args.code, args.out)


def results(args: Arguments) -> None:
    """Put everything the study found into one file for programs."""
    from codeii.documents.gather import gather

    gather({need: getattr(args, need) for need in OF_RESULTS}, args.settings, args.code, args.out)


def documents(args: Arguments) -> None:
    """Write model cards, data cards, checklists, an artifact appendix and a crate from the results."""
    from codeii.documents.build import write_documents

    write_documents(args.results, args.settings, args.code, args.out)


def verify(args: Arguments) -> None:
    """Check every artefact against params.yaml, the code and its hashes; --full reads every file again."""
    from codeii.checks.receipt import answer, words_of

    words = words_of(args.stage, [str(path) for path in args.params])
    said = None if args.full else answer(words)
    if said is None:
        from codeii.checks.remember import verified

        said = verified(args.params, args.stage, args.full, words)
    print(said)


def restore(args: Arguments) -> None:
    """Make a pulled or copied tree current for Snakemake after checking all of it; nothing is made again."""
    from codeii.checks.restore import restore

    print(restore(args.params))


def plan(args: Arguments) -> None:
    """Show jobs, sizes and time by stage before anything starts."""
    from codeii.checks.cost import cost_words
    from codeii.checks.plan import as_text, measured_seconds, plan
    from codeii.workflow.awaiting import not_run_words
    from codeii.workflow.load import load_params
    from codeii.workflow.weights import to_pin

    if args.measured:
        print(measured_seconds())
        return
    params = load_params(args.params)
    stages = plan(params)
    training = [job for stage in stages if stage.name == "training" for job in stage.waiting]
    cost = cost_words(params, training, args.records_per_second)
    print("\n".join([as_text(stages, args.cores), *cost, *not_run_words(params), *to_pin(params)]))


def headline(args: Arguments) -> None:
    """Print the headline results of a finished study and the path of its report."""
    from codeii.checks.headline import headline_text

    print(headline_text(args.published))


def _reported(args: Arguments, kinds: Sequence[str]) -> "Inputs":
    from codeii.reporting.study import Inputs

    return Inputs(**{kind: tuple(getattr(args, kind)) for kind in kinds})
