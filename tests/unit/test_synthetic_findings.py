"""The findings table: 66 classes, every one with an effect that can be seen, and errors that say what is accepted."""

import numpy as np
import pytest

from codeii.schema.labels import read_label_set
from codeii.synthetic.draw import draw_table
from codeii.synthetic.effects import apply, findings, parse_effect
from codeii.synthetic.heart import draw_heart
from codeii.synthetic.read_tables import lead_field, lead_swaps, patterns, qrs_shapes, read_rows
from codeii.synthetic.tracing import simulate
from codeii.synthetic.twin_source import twin_source, twin_sources

PTBXL = """
1AVB 2AVB 3AVB ABQRS AFIB AFLT ALMI AMI ANEUR ASMI BIGU CLBBB CRBBB DIG EL HVOLT ILBBB ILMI IMI INJAL INJAS INJIL
INJIN INJLA INVT IPLMI IPMI IRBBB ISCAL ISCAN ISCAS ISCIL ISCIN ISCLA ISC_ IVCD LAFB LAO/LAE LMI LNGQT LOWT LPFB LPR
LVH LVOLT NDT NORM NST_ NT_ PAC PACE PMI PRC(S) PSVT PVC QWAVE RAO/RAE RVH SARRH SBRAD SEHYP SR STACH STD_ STE_
SVARR SVTAC TAB_ TRIGU VCLVH WPW
"""


def statements(source: str) -> set[str]:
    twin = twin_source(source)
    return {row.statement for row in twin.labels if row.statement} | ({twin.when_normal, twin.when_sinus} - {""})


def test_the_twin_of_code_ii_has_66_classes_and_its_label_set_agrees() -> None:
    classes = [row["code_ii_class"] for row in read_rows("findings") if row["code_ii_class"]]
    label_set = read_label_set("code_ii_twin")
    assert len(label_set.classes) == 66
    assert label_set.classes == tuple(dict.fromkeys(classes))
    assert dict(label_set.classes_of) == {name: (name,) for name in label_set.classes}
    assert {"STEMI", "LBBB", "1dAVb", "RBBB", "SB", "ST", "AF"} <= set(label_set.classes)


def test_every_source_speaks_its_own_vocabulary() -> None:
    assert statements("ptbxl") == set(PTBXL.split()) and len(PTBXL.split()) == 71
    assert statements("cpsc2018") == set("123456789")
    assert statements("code15") == {"1dAVb", "RBBB", "LBBB", "SB", "ST", "AF"}
    for source in ("code_ii", "code_ii_open", "code_ii_test"):
        assert statements(source) == set(read_label_set("code_ii_twin").classes)


def test_sources_share_the_physiology_of_what_they_name_alike() -> None:
    def named(source: str, statement: str) -> set[str]:
        return {row.finding for row in twin_source(source).labels if row.statement == statement}

    assert named("ptbxl", "CLBBB") == named("cpsc2018", "4") == named("code15", "LBBB") == named("code_ii", "LBBB")
    assert named("ptbxl", "AFIB") == named("cpsc2018", "2") == named("code15", "AF") == named("code_ii", "AF")


def test_names_in_all_tables_are_known() -> None:
    for source in twin_sources():
        table = draw_table(source)
        assert set(table.names) <= set(findings())
        assert (table.first >= 0).all() and table.first.sum() > 0 and (table.together >= 0).all()
    assert all(finding.description and finding.effects for finding in findings().values())


@pytest.mark.parametrize("finding", list(findings()))
def test_every_finding_changes_the_signal(finding: str) -> None:
    body = draw_heart(np.random.default_rng(11), 60.0, "male")
    seed = np.random.SeedSequence(11)
    without, _ = simulate(body, 2500, 250, 60, np.random.SeedSequence(12))
    with_it, _ = simulate(apply(body, [finding], seed), 2500, 250, 60, np.random.SeedSequence(12))
    assert np.isfinite(with_it).all()
    assert np.abs(with_it - without).max() > 0.04, "smaller than anybody could see"
    assert np.ptp(with_it, axis=1).max() < 12, "larger than any heart"


@pytest.mark.parametrize(
    "text",
    ["pr=1:2", "pr_ms>200", "st@nowhere+=0.1", "st@inferior=0.1", "st=0.1", "qrs=triangle", "bpm=90:60", "body=1"],
)
def test_a_misspelt_effect_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="effect"):
        parse_effect(text)


def test_an_unknown_finding_table_or_source_is_refused_with_the_known_ones() -> None:
    heart = draw_heart(np.random.default_rng(0), 50.0, "female")
    with pytest.raises(ValueError, match="gout"):
        apply(heart, ["gout"], np.random.SeedSequence(0))
    with pytest.raises(ValueError, match=r"there are .*findings"):
        read_rows("sinus")
    with pytest.raises(ValueError, match=r"there are .*ptbxl"):
        twin_source("chapman")


def test_tables_of_the_body_are_complete() -> None:
    assert lead_field().shape == (8, 3) and len(lead_swaps()) == 2
    assert all(pattern.shape == (8,) for pattern in patterns().values())
    assert {"normal", "lbbb", "rbbb", "paced", "preexcited"} <= set(qrs_shapes())
    assert all(0.06 < shape.duration_s < 0.2 for shape in qrs_shapes().values())


def test_strengths_of_one_finding_do_not_depend_on_the_others() -> None:
    body = draw_heart(np.random.default_rng(2), 60.0, "male")
    alone = apply(body, ["first_degree_block"], np.random.SeedSequence(4))
    both = apply(body, ["sinus_bradycardia", "first_degree_block"], np.random.SeedSequence(4))
    assert alone.pr_ms == both.pr_ms and alone.bpm != both.bpm
