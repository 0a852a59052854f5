"""What every file of `sources/` must keep, present and future."""

import inspect
import pkgutil
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType

import pytest

import codeii.sources
from codeii.schema.record import Card

NAMES = sorted(module.name for module in pkgutil.iter_modules(codeii.sources.__path__))


def source(name: str) -> ModuleType:
    return import_module(f"codeii.sources.{name}")


def test_sources_are_found() -> None:
    assert {"ptbxl", "cpsc2018", "code15", "code_ii_open", "code_ii_test", "code_ii"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_card_is_complete(name: str) -> None:
    card = source(name).CARD
    assert isinstance(card, Card)
    for field in (
        "title",
        "version",
        "doi",
        "licence",
        "lead_spelling",
        "unit",
        "statements",
        "split_protocol",
        "citation",
    ):
        assert len(getattr(card, field)) >= 3, field
    assert card.doi.startswith("10.")
    assert card.records is None or card.records > 0
    assert card.patients is None or card.patients > 0
    assert card.rates_hz
    assert all(0 < rate <= 2000 for rate in card.rates_hz)
    assert card.mains_hz in (50, 60)
    assert card.known_issues
    assert 0 < card.amplitude_mv[0] < card.amplitude_mv[1]


@pytest.mark.parametrize("name", NAMES)
def test_every_file_says_what_its_set_is(name: str) -> None:
    text = inspect.getdoc(source(name))
    assert text
    assert 3 <= len(text.splitlines()) <= 8
    assert text.splitlines()[0].endswith((".", ","))


@pytest.mark.parametrize("name", NAMES)
def test_every_reader_takes_a_folder_options_and_a_shard(name: str) -> None:
    reader = source(name).read_records
    assert list(inspect.signature(reader).parameters) == ["raw", "options", "shard"]
    assert reader.__doc__


@pytest.mark.parametrize("name", NAMES)
def test_an_empty_folder_is_an_error_that_names_what_is_expected(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"\.csv is not there|REFERENCE\.csv|is not declared: ") as caught:
        list(source(name).read_records(tmp_path, {}))
    assert str(tmp_path) in str(caught.value) or f"sources.{name}.layout" in str(caught.value)


@pytest.mark.parametrize("options", [{"no_such_key": 1}])
@pytest.mark.parametrize("name", NAMES)
def test_an_unknown_option_is_an_error_that_names_it(name: str, options: Mapping[str, object], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=rf"sources\.{name}\.layout\.no_such_key: this key is not known"):
        list(source(name).read_records(tmp_path, options))
