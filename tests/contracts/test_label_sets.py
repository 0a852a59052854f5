"""What every file of `label_sets/` must keep, present and future."""

import pytest

from codeii.schema.labels import FOLDER, classes_hash, label_set_names, read_label_set, to_targets

NAMES = label_set_names()


def test_label_sets_are_found() -> None:
    ptbxl = {f"ptbxl_{task}" for task in ("all", "diagnostic", "subdiagnostic", "superdiagnostic", "form", "rhythm")}
    assert ptbxl | {"cpsc2018", "code15"} <= set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_every_label_set_is_plain_text_with_a_header(name: str) -> None:
    raw = (FOLDER / f"{name}.csv").read_bytes()
    assert raw.startswith(b"statement,class\n")
    assert raw.endswith(b"\n")
    assert b"\r" not in raw
    assert all(cell == cell.strip() for line in raw.decode("utf-8").splitlines() for cell in line.split(","))


@pytest.mark.parametrize("name", NAMES)
def test_every_label_set_maps_each_statement_and_names_each_class_once(name: str) -> None:
    label_set = read_label_set(name)
    assert len(label_set.classes) == len(set(label_set.classes)) >= 2
    assert {of for classes in label_set.classes_of.values() for of in classes} == set(label_set.classes)
    assert len(classes_hash(label_set.classes)) == 16


@pytest.mark.parametrize("name", NAMES)
def test_every_statement_gives_its_classes_whatever_its_likelihood(name: str) -> None:
    label_set = read_label_set(name)
    for likelihood in (None, 0.0, 100.0):
        targets = to_targets(label_set, [{statement: likelihood} for statement in label_set.classes_of])
        given = [tuple(label_set.classes[column] for column in row.nonzero()[0]) for row in targets]
        assert [set(classes) for classes in given] == [set(classes) for classes in label_set.classes_of.values()]
    assert not to_targets(label_set, [{}, {"no such statement": None}]).any()


def test_class_order_is_the_one_of_the_publications() -> None:
    assert read_label_set("cpsc2018").classes == ("Normal", "AF", "I-AVB", "LBBB", "RBBB", "PAC", "PVC", "STD", "STE")
    assert read_label_set("code15").classes == ("1dAVb", "RBBB", "LBBB", "SB", "AF", "ST")
    assert read_label_set("ptbxl_superdiagnostic").classes == ("CD", "HYP", "MI", "NORM", "STTC")
