"""Stand-ins for libraries that describe settings and tables, where a benchmark runs with torch and numpy alone."""

import sys
from importlib import import_module
from types import ModuleType
from typing import Any


class Anything:
    """Stands for whatever a library that is not installed would give; used as a decorator it changes nothing."""

    def __init__(self, *args: object, **kwargs: object) -> None: ...

    def __init_subclass__(cls, **kwargs: object) -> None: ...

    def __class_getitem__(cls, item: object) -> type:
        return cls

    def __call__(self, decorated: Any = None, **kwargs: object) -> Any:
        return decorated


class Absent(ModuleType):
    """A library that describes settings or tables: the modules below name it, what is timed here never calls it."""

    __path__: tuple[str, ...] = ()

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        return Anything


def stand_in(names: tuple[str, ...]) -> list[str]:
    """Those that are not installed, now replaced."""
    missing = []
    for name in names:
        try:
            import_module(name)
        except ModuleNotFoundError:
            missing.append(name)
            sys.modules[name] = Absent(name)
    return missing


def removed(names: list[str]) -> None:
    """Take the stand-ins away: torch asks later what is installed."""
    for name in names:
        del sys.modules[name]
