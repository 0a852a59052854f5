"""`--use-conda` runs every compute rule in the environment of envs/study.yaml.

Conda itself cannot be had here: a stand-in answers Snakemake's questions and "creates" the environment as a folder
whose `python` is the one of the tests. What is shown is that Snakemake asks for the right file and that jobs run in
what it made; that conda-forge has these versions is not.
"""

import os
import sys
from pathlib import Path

import pytest

from tests.workflow.conftest import Checkout, copy_checkout

pytestmark = pytest.mark.study

CONDA = """#!/bin/bash
case "$1 $2" in
  "info --json") echo '{{"conda_prefix": "{base}", "root_prefix": "{base}", "platform": "linux-64"}}' ;;
  "--version "*) echo "conda 26.7.1" ;;
  "clean -y") ;;
  "config --get") echo '{{"get": {{"channel_priority": "strict"}}}}' ;;
  "env create")
    while [ $# -gt 0 ]; do
      case "$1" in --file) file="$2" ;; --prefix) prefix="$2" ;; esac
      shift
    done
    mkdir -p "$prefix/bin" "$prefix/conda-meta"
    cp "$file" "{base}/asked_for.yaml"
    printf '#!/bin/bash\\necho "$@" >> {base}/calls\\nexec {python} "$@"\\n' > "$prefix/bin/python"
    chmod +x "$prefix/bin/python" ;;
  *) echo "the stand-in has no answer to: $*" >&2; exit 1 ;;
esac
"""


@pytest.fixture
def stand_in(tmp_path: Path) -> Path:
    """Folder of the stand-in; its bin goes first on PATH."""
    base = tmp_path / "conda"
    (base / "bin").mkdir(parents=True)
    (base / "bin/conda").write_text(CONDA.format(base=base, python=sys.executable))
    (base / "bin/conda").chmod(0o755)
    (base / "bin/activate").write_text('export CONDA_PREFIX="$1" PATH="$1/bin:$PATH"\n')
    return base


@pytest.mark.parametrize("flag", [("--use-conda",), ("--sdm", "conda")])
def test_compute_rules_run_in_the_environment_of_the_file(
    stand_in: Path, tmp_path: Path, flag: tuple[str, ...]
) -> None:
    checkout: Checkout = copy_checkout(tmp_path / "checkout", "tests/params/tiny.yaml")
    path = f"{stand_in}/bin:{Path(sys.executable).parent}:{os.environ['PATH']}"
    target = "results/targets/cpsc2018/manifest.json"
    checkout.run("env", f"PATH={path}", "snakemake", "--cores", "2", *flag, "--", target)
    assert (checkout.folder / target).is_file()
    asked = (stand_in / "asked_for.yaml").read_text()
    assert asked == (checkout.folder / "envs/study.yaml").read_text()
    verbs = [line.split()[2] for line in (stand_in / "calls").read_text().splitlines()]
    assert verbs == ["synthesise", "record_shard", "records", "targets"]
