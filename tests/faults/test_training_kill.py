"""F17 and F19: training dies at twenty random points, half of them inside the writing of a state; same bits each time.

Training runs in children of a process that has imported everything and never trained: a fork each, no import.
"""

import hashlib
import json
import os
import random
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from codeii.training import run

POINTS = 20

# Reads one order a line: arguments of `train`, and the event at which the child kills itself (null: it finishes).
# Events are steps and every operation on files while a state is written; "half" leaves half of the state's bytes.
SERVER = """
import functools, json, os, signal, sys
from pathlib import Path
from codeii.training import learner, resume, run

def child(order):
    counted = [0]
    def count(what):
        counted[0] += 1
        if counted[0] == order["die_at"]:
            os.kill(os.getpid(), signal.SIGKILL)
    saving = [False]
    save, save_file = resume.save, resume.save_file
    def watched_save(*arguments):
        saving[0] = True
        save(*arguments)
        saving[0] = False
    def watched_file(tensors, path, header):
        save_file(tensors, path, header)
        whole = Path(path).read_bytes()
        Path(path).write_bytes(whole[: len(whole) // 2])
        count("half")
        Path(path).write_bytes(whole)
    step = learner.Learner.step
    def watched_step(*arguments):
        count("before the step")
        step(*arguments)
        count("after the step")
    resume.save, resume.save_file, learner.Learner.step = watched_save, watched_file, watched_step
    files = {"open", "os.rename", "os.remove", "os.mkdir"}
    sys.addaudithook(lambda event, _: saving[0] and event in files and count(event))
    run.Keeper = functools.partial(run.Keeper, every_s=-1.0)
    paths = [Path(path) for path in order["paths"]]
    run.train(paths[0], paths[1], None, order["settings"], "code", paths[2], paths[3])
    Path(order["paths"][3], "counted").write_text(str(counted[0]))

for line in sys.stdin:
    number = os.fork()
    if number == 0:
        try:
            child(json.loads(line))
            os._exit(0)
        except BaseException as error:
            print(repr(error), file=sys.stderr, flush=True)
            os._exit(1)
    print(os.waitstatus_to_exitcode(os.waitpid(number, 0)[1]), flush=True)
"""

Order = Callable[[Path, int | None], int]


@pytest.fixture(scope="module")
def settings(tiny_settings: dict[str, Any]) -> dict[str, Any]:
    """Everything that has a state or a random stream is on."""
    recipe = {"epochs": 2, "batch_size": 24, "schedule": "one_cycle", "average_decay": 0.9, "accumulate": 2}
    recipe |= {"augmentation": {"noise_uv": 20, "mixup_alpha": 0.3, "shift_seconds": 0.2}}
    recipe |= {"loss": {"positive_weights": "balanced"}, "layer_decay": 0.8}
    model = {"filters": [4, 4], "strides": [2, 4], "kernel_size": 5, "head_samples": 1, "dropout_rate": 0.1}
    return {**tiny_settings, "model_settings": model, "recipe": {**tiny_settings["recipe"], **recipe}}


@pytest.fixture(scope="module")
def order(tiny_inputs: dict[str, Path], settings: dict[str, Any]) -> Iterator[Order]:
    environment = {**os.environ, "PYTHONPATH": str(Path(run.__file__).parents[2])}
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "env": environment}
    with subprocess.Popen([sys.executable, "-c", SERVER], **pipes) as server:

        def ordered(folder: Path, die_at: int | None) -> int:
            paths = [str(path) for path in (*tiny_inputs.values(), folder / "run", folder / "scratch")]
            server.stdin.write(json.dumps({"paths": paths, "settings": settings, "die_at": die_at}) + "\n")
            server.stdin.flush()
            return int(server.stdout.readline())

        yield ordered
        server.stdin.close()


def weights_of(folder: Path) -> str:
    return hashlib.sha256((folder / "run/weights.safetensors").read_bytes()).hexdigest()


def test_a_run_killed_at_any_of_twenty_points_ends_with_the_same_bits(order: Order, tmp_path: Path) -> None:
    assert order(tmp_path / "straight", None) == 0
    events = int((tmp_path / "straight/scratch/counted").read_text())
    seed = random.SystemRandom().randrange(2**32)
    points = random.Random(seed).sample(range(1, events + 1), POINTS)
    expected = weights_of(tmp_path / "straight")
    for point in points:
        folder = tmp_path / str(point)
        assert order(folder, point) == -9, f"{point} of {events}"
        assert not (folder / "run").exists()
        assert order(folder, None) == 0
        assert weights_of(folder) == expected, f"killed at event {point} of {events}, drawn with seed {seed}"
        left = [path.name for path in (folder / "scratch").rglob("*") if path.is_file()]
        assert sorted(left) == ["counted", "events.jsonl"]


def test_a_run_killed_again_and_again_ends_with_the_same_bits(order: Order, tmp_path: Path) -> None:
    assert order(tmp_path / "straight", None) == 0
    deaths = 0
    while order(tmp_path / "killed", 23) == -9:  # each life is long enough to save one state
        deaths += 1
        assert deaths < 40
    assert deaths > 2
    assert weights_of(tmp_path / "killed") == weights_of(tmp_path / "straight")
