"""Command line: one subcommand per rule of the workflow, plus those people use themselves.

Exit codes: 0 done, 2 wrong usage, 3 bad data or parameters, 4 a file is not what its manifest says, 75 a training
reached --max-minutes and goes on with the same command.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from codeii import verbs
from codeii.schema.needs import NEEDS, OF_REPORT, OF_RESULTS

BAD_DATA, BROKEN = 3, 4  # argparse itself exits with 2
INTERRUPTED = 130  # as shells say it
Verb = Callable[[argparse.Namespace], None]
Add = Callable[..., argparse.ArgumentParser]


def main(argv: Sequence[str] | None = None) -> int:
    """Run one subcommand; faults are a sentence on the standard error, never a stack trace."""
    args = _parser().parse_args(argv)
    try:
        args.run(args)
    except (ValueError, OSError) as error:
        from codeii.artifacts.manifest import IntegrityError  # costs a tenth of a second, so only now

        print(f"codeii {args.command}: {error}", file=sys.stderr)
        return BROKEN if isinstance(error, IntegrityError) else BAD_DATA
    except KeyboardInterrupt:
        print(f"codeii {args.command}: interrupted; run the same again to go on", file=sys.stderr)
        return INTERRUPTED
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


def _for_people(add: Add) -> None:
    for run, example in (
        (verbs.plan, "codeii plan --params params.yaml config/paper.yaml"),
        (verbs.verify, "codeii verify --full"),
        (verbs.restore, "codeii restore"),
    ):
        command = _command(add, run, example)
        command.add_argument(
            "--params",
            type=Path,
            nargs="+",
            default=[Path("params.yaml")],
            metavar="YAML",
            help="parameters of the study; later files change earlier ones (default: params.yaml)",
        )
        if run is verbs.verify:
            stages = ("raw", "tensors", "runs", "scores")
            command.add_argument("--stage", choices=stages, help="only up to this stage of dvc.yaml (default: all)")
            text = "read every file again, whatever is remembered of it: finds rot that leaves no mark in time or size"
            command.add_argument("--full", action="store_true", help=text)
        if run is verbs.plan:
            text = "print what a job of each rule took here, for seconds_of_the_built_in_study.csv"
            command.add_argument("--measured", action="store_true", help=text)
            command.add_argument("--cores", type=int, default=2, help="cores the time is given for (default: 2)")
            text = "rate of training that you measured (default: that of earlier runs here, else as shipped)"
            command.add_argument("--records-per-second", type=_above_0, metavar="N", help=text)

    command = _command(add, verbs.headline, "codeii headline")
    folder = Path("results/published")
    command.add_argument("--published", type=Path, default=folder, metavar="FOLDER", help=f"default: {folder}")


def _for_data(add: Add) -> None:
    example = "codeii {} --source ptbxl --settings '{{...}}' --code 0123abcd --out data/raw/ptbxl/1.0.3"
    command = _job(add, verbs.synthesise, example.format("synthesise"))
    command.add_argument("--source", required=True, help="a name under `sources` of params.yaml")
    _for_fetch(add, example.format("fetch"))
    command = _job(add, verbs.record_shard, "codeii record_shard --source ptbxl --raw data/raw/.../manifest.json ...")
    command.add_argument("--source", required=True, help="a name under `sources` of params.yaml")
    _manifests(command, "raw")
    command = _job(add, verbs.records, "codeii records --source ptbxl --shards results/records/ptbxl/shards/0/... ...")
    command.add_argument("--source", required=True, help="a name under `sources` of params.yaml")
    _manifests(command, "shards", many=True)
    command = _job(add, verbs.audit, "codeii audit --records results/records/ptbxl/manifest.json --raw R ...")
    _manifests(command, "records", "raw")
    for run in (verbs.tensor_shard, verbs.targets):
        command = _job(add, run, f"codeii {run.__name__} --records results/records/ptbxl/manifest.json ...")
        _manifests(command, "records")
    _manifests(
        _job(add, verbs.tensors, "codeii tensors --shards results/tensors/.../shards/0/... ..."), "shards", many=True
    )

    _manifests(_job(add, verbs.descriptors, "codeii descriptors --records R/manifest.json ..."), "records")
    command = _job(add, verbs.duplicates, "codeii duplicates --records R... --descriptors D... ...")
    _manifests(command, "records", "descriptors", many=True)
    command = _job(add, verbs.leakage, "codeii leakage --duplicates P/manifest.json --targets Y... ...")
    _manifests(command, "duplicates")
    _manifests(command, "targets", many=True)


def _for_fetch(add: Add, as_a_job: str) -> None:
    """People name a source and the rest is looked up in the parameters; the rule passes everything."""
    examples = (
        "codeii fetch ptbxl --accept-licence",
        "codeii fetch code15 --directory runs/paper --connections 4",
        "codeii fetch cpsc2018 --offline            # is everything here, with the right hashes?",
        as_a_job,
    )
    exits = (
        "exit codes: 0 done, 2 wrong usage, 3 not fetched (network, disk, licence, refused), 4 not the expected file"
    )
    command = _command(add, verbs.fetch, "\n  ".join(examples) + f"\n\n{exits}")
    text = "a name under `sources` of the parameters; its files go to data/raw/SOURCE/VERSION"
    command.add_argument("name", nargs="?", metavar="SOURCE", help=text)
    command.add_argument("--source", help="SOURCE again, in the form of the rule")
    default = [Path("params.yaml"), Path("config/paper.yaml")]
    text = "parameters; later files change earlier ones (default: params.yaml config/paper.yaml)"
    command.add_argument("--params", type=Path, nargs="+", default=default, metavar="YAML", help=text)
    text = "where the study runs, as for Snakemake (default: here)"
    command.add_argument("--directory", type=Path, default=Path(), metavar="FOLDER", help=text)
    command.add_argument("--accept-licence", action="store_true", help="accept what is shown, once for this folder")
    command.add_argument("--offline", action="store_true", help="open no connection (also: CODEII_OFFLINE=1)")
    command.add_argument("--connections", type=int, default=8, choices=range(1, 33), metavar="N", help="default: 8")
    _settings_and_out(command, required=False)
    command.add_argument("--code", metavar="HASH", help="fingerprint of the code, for the manifest")
    command.set_defaults(wrong_usage=command.error)


def _for_runs(add: Add) -> None:
    command = _job(add, verbs.weights, "codeii weights --file ecgfounder.pth --settings '{...}' ...")
    command.add_argument("--file", type=Path, required=True, metavar="FILE", help="the weights as published")
    command = _job(add, verbs.train, "codeii train --tensors T/manifest.json --targets Y/manifest.json --scratch S ...")
    _manifests(command, "tensors", "targets")
    command.add_argument("--init", type=Path, metavar="MANIFEST", help="manifest of the checkpoint to start from")
    command.add_argument("--scratch", type=Path, required=True, metavar="FOLDER", help="state to resume from")
    text = "save the state and end with 75 after so long, for queues with a limit (also: CODEII_MAX_MINUTES)"
    limit = os.environ.get("CODEII_MAX_MINUTES")
    command.add_argument("--max-minutes", type=_above_0, default=limit, metavar="N", help=text)
    command = _job(add, verbs.predict, "codeii predict --checkpoints results/runs/.../seed0/manifest.json ...")
    _manifests(command, "tensors", "targets")
    _manifests(command, "checkpoints", many=True)
    _for_submit(add)
    command = _job(add, verbs.evaluate, "codeii evaluate --predictions results/predictions/.../manifest.json ...")
    _manifests(command, "predictions", "targets", "leakage")
    command = _job(add, verbs.analyse, "codeii analyse --predictions results/predictions/.../manifest.json ...")
    _manifests(command, "predictions", "targets")
    command = _job(add, verbs.explain, "codeii explain --checkpoint results/runs/.../seed0/manifest.json ...")
    _manifests(command, "checkpoint", "tensors", "targets", "scores")
    command = _job(add, verbs.reproduce, "codeii reproduce --scores S... --comparisons C... ...")
    _manifests(command, "scores", "comparisons", many=True)
    examples = ("codeii gate", "codeii gate --results runs/paper/results")
    text = "exit codes: 0 nothing differs, 5 something does, 4 there are no verdicts or a file was changed"
    command = _command(add, verbs.gate, "\n  ".join(examples) + f"\n\n{text}")
    text = "of the study (default: results)"
    command.add_argument("--results", type=Path, default=Path("results"), metavar="FOLDER", help=text)
    command = _job(add, verbs.compare, "codeii compare --scores S... --predictions P... --targets Y/manifest.json ...")
    _manifests(command, "scores", "predictions", many=True)
    _manifests(command, "targets")
    command = _command(add, verbs.tracking_store, "codeii tracking_store --settings '{...}' --out results/tracking")
    _settings_and_out(command)
    _for_track(add)
    command = _job(add, verbs.track_page, "codeii track_page --report results/published/manifest.json --parts T... ...")
    _manifests(command, "report")
    _manifests(command, "parts", many=True)


def _for_submit(add: Add) -> None:
    """People check and score a predictions file; the rule makes one."""
    file = "results/submissions/code_ii_test/code_ii_pretraining/resnet1d/predictions.csv"
    examples = (
        f"codeii submit --check {file}",
        f"codeii submit --score {file} --key key.csv --table scores.csv",
        "codeii submit --checkpoints results/runs/.../seed0/manifest.json ...",
    )
    command = _command(add, verbs.submit, "\n  ".join(examples))
    what = command.add_mutually_exclusive_group()
    what.add_argument("--check", type=Path, metavar="FILE", help="name every fault of this predictions file")
    what.add_argument("--score", type=Path, metavar="FILE", help="check this predictions file and score it")
    command.add_argument("--key", type=Path, metavar="CSV", help="with --score: exam_id and one 0/1 column per class")
    command.add_argument("--table", type=Path, metavar="CSV", help="with --score: write the scores of every class here")
    text = "with --score: bootstrap resamples for the intervals (default: 1000)"
    command.add_argument("--replicates", type=int, default=1000, metavar="N", help=text)
    text = "the card of the file (default: submission.json beside it)"
    command.add_argument("--card", type=Path, metavar="JSON", help=text)
    text = (
        "CSV with the exam_id of every exam of the test set (default: the study's records of it, where they are here)"
    )
    command.add_argument("--exams", type=Path, metavar="CSV", help=text)
    _settings_and_out(command, required=False)
    command.add_argument("--code", metavar="HASH", help="fingerprint of the code, for the manifest")
    command.add_argument("--tensors", type=Path, metavar="MANIFEST", help="of the tensors")
    _manifests(command, "checkpoints", many=True)
    command.set_defaults(wrong_usage=command.error)


def _for_track(add: Add) -> None:
    """People follow a study; the rule passes everything of one experiment."""
    examples = ("codeii track --follow", "codeii track --follow --directory runs/paper --params P...")
    command = _command(add, verbs.track, "\n  ".join((*examples, "codeii track --runs R... --scores S... ...")))
    command.add_argument("--follow", action="store_true", help="while the study trains, until Ctrl-C")
    text = "with --follow: where the study runs, as for Snakemake (default: here)"
    command.add_argument("--directory", type=Path, default=Path(), metavar="FOLDER", help=text)
    text = "with --follow: parameters of the study (default: params.yaml)"
    command.add_argument("--params", type=Path, nargs="+", default=[Path("params.yaml")], metavar="YAML", help=text)
    _settings_and_out(command, required=False)
    command.add_argument("--code", metavar="HASH", help="fingerprint of the code, for the manifest")
    command.add_argument("--scratch", type=Path, metavar="FOLDER", help="where the runs' events are")
    _manifests(command, "runs", "scores", many=True)
    command.set_defaults(wrong_usage=command.error)


def _for_report(add: Add) -> None:
    for run in (verbs.table, verbs.figure):
        command = _job(add, run, f"codeii {run.__name__} --name headline --scores results/scores/.../manifest.json ...")
        command.add_argument("--name", required=True, help=f"a file of src/codeii/reporting/{run.__name__}s")
        _manifests(command, *NEEDS, many=True)
    command = _job(add, verbs.report, "codeii report --tables T... --figures F... --out results/published ...")
    _manifests(command, "tables", "figures", *OF_REPORT, many=True)
    command = _job(add, verbs.results, "codeii results --records R... --runs C... --scores S... ...")
    _manifests(command, *OF_RESULTS, many=True)
    example = "codeii documents --results results/published/results/manifest.json ..."
    _manifests(_job(add, verbs.documents, example), "results")


def _command(add: Add, run: Verb, example: str) -> argparse.ArgumentParser:
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


def _job(add: Add, run: Verb, example: str) -> argparse.ArgumentParser:
    command = _command(add, run, example)
    _settings_and_out(command)
    command.add_argument("--code", required=True, metavar="HASH", help="fingerprint of the code, for the manifest")
    return command


def _settings_and_out(command: argparse.ArgumentParser, required: bool = True) -> None:
    command.add_argument("--settings", type=_settings, required=required, metavar="JSON", help="as the rules pass them")
    command.add_argument("--out", type=Path, required=required, metavar="FOLDER", help="where the artefact is written")


def _manifests(command: argparse.ArgumentParser, *names: str, many: bool = False) -> None:
    for name in names:
        if many:
            command.add_argument(
                f"--{name}", type=Path, nargs="*", default=[], metavar="MANIFEST", help=f"of the {name}"
            )
        else:
            command.add_argument(f"--{name}", type=Path, required=True, metavar="MANIFEST", help=f"of the {name}")


def _above_0(text: str) -> float:
    value = float(text)
    if not value > 0:
        raise argparse.ArgumentTypeError("expected a number above 0")
    return value


def _settings(text: str) -> dict[str, Any]:
    value = json.loads(text)
    if not isinstance(value, dict):
        raise argparse.ArgumentTypeError("settings are a JSON object")
    return value


if __name__ == "__main__":
    sys.exit(main())
