"""Reads the tensors of a file made by others, in a process of its own: run by `codeii.training.published`, as a script.

Standard input is the file, standard output what is made of it: its tensors as safetensors, floating ones as float32.
PyTorch's `weights_only` reader builds tensors and plain containers and calls nothing that a pickle names. Should it
fail to, there is no network here, no new process, no file to write, and an end to memory and time. This file imports
nothing of the package.
"""

import os
import resource
import sys
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO

NESTED = ("state_dict", "model", "model_state_dict")  # where publishers keep tensors one level down
MEMORY_PER_BYTE, MEMORY_BESIDE = 6, 1 << 30  # bytes; of the file, and of whatever else it takes
SECONDS = 900
NO_NETWORK = (0x40000000, 0x50000000)  # of unshare(2): a new network; with a new user, where that alone is refused
REFUSED = ("socket.", "subprocess.", "os.exec", "os.fork", "os.posix_spawn", "os.spawn", "os.system", "shutil.")
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
NOT_READ, TOO_LARGE = 3, 4  # exit codes


def main() -> int:
    """Read, convert, write; a fault is one line on the standard error."""
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints is no part of the answer
    leave_the_network()
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
    import safetensors.torch
    import torch

    torch.set_num_threads(1)  # each thread reserves memory, which is limited from here on
    file = os.fdopen(0, "rb")
    limit_memory(os.fstat(0).st_size)
    sys.addaudithook(refuse)
    try:
        tensors = dict(as_float32(state_of(loaded(file, torch)), torch))
        answer.write(safetensors.torch.save(tensors))
        answer.flush()
    except MemoryError:
        return TOO_LARGE
    except Exception as error:  # whatever a strange file brings up, in words, at the end of the process
        words = f"{error.__class__.__name__}: {error}"
        print(" ".join(words.split()), file=sys.stderr)
        return TOO_LARGE if "can't allocate memory" in words else NOT_READ
    return 0


def leave_the_network() -> None:
    """Give this process a network of its own with nothing in it, where the kernel lets it."""
    import ctypes

    unshare = getattr(ctypes.CDLL(None), "unshare", None)
    if unshare is not None:
        any(unshare(flags) == 0 for flags in NO_NETWORK)


def limit_memory(file_bytes: int) -> None:
    """Let this process grow by a few times the file's size, no further."""
    pages = int(open("/proc/self/statm", encoding="ascii").read().split()[0])  # noqa: PTH123, SIM115
    most = pages * resource.getpagesize() + MEMORY_PER_BYTE * file_bytes + MEMORY_BESIDE
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def refuse(event: str, arguments: tuple[Any, ...]) -> None:
    """Audit hook: what reading tensors never needs raises PermissionError."""
    writes = event == "open" and isinstance(arguments[2], int) and bool(arguments[2] & WRITING)
    if writes or event.startswith(REFUSED):
        raise PermissionError(f"{event} is refused while a file made by others is read")


def loaded(file: BinaryIO, torch: Any) -> Any:
    """What the file holds, as safetensors or as PyTorch's own format, told apart by its first bytes."""
    head = file.read(9)
    file.seek(0)
    if head[8:] == b"{":
        import safetensors.torch

        return safetensors.torch.load(file.read())
    return torch.load(file, weights_only=True, map_location="cpu")


def state_of(found: Any) -> Mapping[str, Any]:
    """The mapping of names to tensors: the whole, or what is under the one known name. Raises ValueError otherwise."""
    if not isinstance(found, Mapping) or not found:
        raise ValueError(f"it holds {type(found).__name__}, expected tensors by name")
    if any(hasattr(value, "is_floating_point") for value in found.values()):
        return found
    below = [name for name in NESTED if isinstance(found.get(name), Mapping)]
    if len(below) != 1:
        keys = ", ".join(map(str, list(found)[:8]))
        raise ValueError(f"no tensors in it, nor under exactly one of {', '.join(NESTED)}; it has: {keys}")
    state: Mapping[str, Any] = found[below[0]]
    return state


def as_float32(state: Mapping[str, Any], torch: Any) -> Iterator[tuple[str, Any]]:
    """Each tensor with memory of its own; floating ones as float32. Raises ValueError on what is no plain tensor."""
    for name, value in state.items():
        plain = isinstance(value, torch.Tensor) and value.layout == torch.strided and value.device.type == "cpu"
        if not (isinstance(name, str) and plain) or value.is_complex() or value.is_quantized:
            raise ValueError(f"{name!r} is no plain tensor but {getattr(value, 'dtype', type(value).__name__)}")
        kind = torch.float32 if value.is_floating_point() else value.dtype
        yield name, value.detach().to(kind, copy=True).contiguous()


if __name__ == "__main__":
    sys.exit(main())
