"""The one place that picks a device and the arithmetic on it."""

import ctypes
import os

import torch

# Of glibc's malloc.h: (M_MMAP_MAX, 0), memory of its own for no request, however large; (M_TRIM_THRESHOLD, -1)
_NO_MAPPING, _NO_TRIMMING = (-4, 0), (-1, -1)


def prepare(threads: int) -> torch.device:
    """Pick the device, and make arithmetic on it repeat itself: same machine and threads, same bits.

    threads : CPU threads of one operation; 1 and 2 give different last bits, so it is set, never inherited.
    """
    keep_freed_memory()
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


def keep_freed_memory() -> bool:
    """Keep freed memory for the next batch rather than give it back and have it cleared anew: a tenth of a step.

    Jobs of the study start with it set (`MALLOC_*`); this is for those who call from Python. Only glibc can be told
    so; False where the process runs on another C library.
    """
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    return mallopt is not None and all(mallopt(*option) for option in (_NO_MAPPING, _NO_TRIMMING))
