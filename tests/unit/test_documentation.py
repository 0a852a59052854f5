"""What is generated from the models is in step with them, and the environments agree."""

import json
import re
import sys
from pathlib import Path

import pytest
import yaml

from codeii.workflow.documentation import params_schema, results_schema, settings_table

ROOT = Path(__file__).parents[2]
NAME_IN_THE_LOCK = {"pytorch": "torch", "matplotlib-base": "matplotlib"}


def test_the_schema_for_editors_is_current() -> None:
    found = (ROOT / "config/params.schema.json").read_text()
    assert json.loads(found) == json.loads(params_schema()), "run: make docs"


def test_the_table_of_settings_is_current() -> None:
    assert settings_table() in (ROOT / "config/README.md").read_text(), "run: make docs"


def locked() -> dict[str, str]:
    text = (ROOT / "envs/requirements.lock").read_text() + (ROOT / "envs/torch.lock").read_text()
    return {name.lower(): version for name, version in re.findall(r"^([A-Za-z0-9._-]+)==([^ \\\n]+)", text, re.M)}


def test_the_conda_environment_has_the_locks_versions() -> None:
    lock = locked()
    environment = yaml.safe_load((ROOT / "envs/study.yaml").read_text())
    conda = [entry for entry in environment["dependencies"] if isinstance(entry, str) and entry != "pip"]
    by_pip = next(entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    pins = dict(re.split(r"\s*=+\s*", entry) for entry in (*conda, *by_pip))
    assert pins.pop("python") == "3.11"
    assert {NAME_IN_THE_LOCK.get(name, name): version for name, version in pins.items()} == {
        NAME_IN_THE_LOCK.get(name, name): lock[NAME_IN_THE_LOCK.get(name, name)] for name in pins
    }


def test_the_conda_environment_has_everything_the_package_imports() -> None:
    environment = yaml.safe_load((ROOT / "envs/study.yaml").read_text())
    text = json.dumps(environment)
    of_module = {"sklearn": "scikit-learn", "yaml": "pyyaml", "torch": "pytorch", "ecg_plot": "ecg-plot"}
    of_module["markupsafe"] = "jinja2"  # comes with it, and is its interface
    apart = {"codeii", "snakemake"}  # snakemake runs the rules, it is not inside them

    for path in (ROOT / "src").rglob("*.py"):
        for module in re.findall(r"^\s*(?:from|import) (\w+)", path.read_text(), re.M):
            if module not in sys.stdlib_module_names and module not in apart:
                assert of_module.get(module, module) in text, f"{path} imports {module}"


def test_torch_is_locked_without_a_local_version() -> None:
    assert (ROOT / "envs/torch.lock").read_text() == "torch==2.13.0\n"


@pytest.mark.parametrize("stage", ["raw", "tensors", "runs", "scores", "published"])
def test_dvc_stages_name_paths_and_parameters_that_exist(stage: str) -> None:
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
    params = yaml.safe_load((ROOT / "params.yaml").read_text())
    made = {path for other in stages.values() for out in other["outs"] for path in out}
    for path in stages[stage]["deps"]:
        below = any(out.startswith(f"{path}/") for out in made)
        assert path in made or below or (ROOT / path).exists(), path
    for name in stages[stage]["params"]:
        assert name in params or name == "tracking", name
    assert all(options == {"persist": True} for out in stages[stage]["outs"] for options in out.values())


def test_the_schema_of_results_is_current() -> None:
    found = (ROOT / "config/results.schema.json").read_text()
    assert json.loads(found) == json.loads(results_schema()), "run: make docs"
