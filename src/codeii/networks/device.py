"""The one place that picks a device and the arithmetic on it."""

import os

import torch


def prepare(threads: int) -> torch.device:
    """Pick the device, and make arithmetic on it repeat itself: same machine and threads, same bits.

    threads : CPU threads of one operation; 1 and 2 give different last bits, so it is set, never inherited.
    """
    torch.set_num_threads(threads)
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS needs to be deterministic
    # as use_deterministic_algorithms(True), which imports torch's compiler for two seconds
    torch.set_deterministic_debug_mode("error")
    # filling costs time, and nothing here reads memory it has not written
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.backends.cudnn.benchmark = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cuda.matmul.allow_tf32 = False
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")
