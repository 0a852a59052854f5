import re
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score
from tests.scores import no_replicates, score_frame

from codeii.reporting.ecg_picture import _extremes, ecg_png, ecg_svg
from codeii.reporting.figures.example_ecgs import stacked
from codeii.reporting.figures.roc import RATES, curve_of, macro_curve

HOSTILE = 'x</text><script>alert("1")</script>&'


def tracing(samples=5000):
    time = np.arange(samples) / 500
    return np.tile(800 * np.sin(7 * time) ** 31, (12, 1)).astype(np.int16)


def test_the_tracing_names_every_lead_its_scale_and_its_title():
    svg = ElementTree.fromstring(ecg_svg(tracing(), 500, HOSTILE))
    text = [node.text for node in svg.iter("{http://www.w3.org/2000/svg}text")]
    assert text[0] == HOSTILE
    assert {"I", "II", "III", "aVR", "aVL", "aVF", "V1", "V2", "V3", "V4", "V5", "V6"} <= set(text)
    assert text.count("II") == 2
    assert "25 mm/s · 10 mm/mV" in text[-1]


def test_the_picture_stays_small_and_the_same():
    svg = ecg_svg(tracing(), 500, "t")
    assert len(svg) < 120_000
    assert svg == ecg_svg(tracing(), 500, "t")


def test_ten_seconds_are_shown_of_a_longer_tracing_and_all_of_a_shorter_one():
    assert ecg_svg(tracing(9000), 500, "t") == ecg_svg(tracing(9000)[:, :5000], 500, "t")
    assert ecg_png(tracing(1500), 500, "t").startswith(b"\x89PNG")


def test_what_leaves_the_paper_is_marked():
    signal = tracing()
    signal[0, 100] = 9000
    assert "OUT OF RANGE" in ecg_svg(signal, 500, "t")
    assert "OUT OF RANGE" not in ecg_svg(tracing(), 500, "t")


def test_thinning_keeps_the_peaks():
    points = np.column_stack([np.linspace(0, 60, 3000), np.random.default_rng(0).standard_normal(3000)])
    kept = points[_extremes(points)]
    assert len(kept) < 700
    assert kept[:, 1].max() == points[:, 1].max() and kept[:, 1].min() == points[:, 1].min()
    assert (kept[0] == points[0]).all() and (kept[-1] == points[-1]).all() and (np.diff(kept[:, 0]) > 0).all()


@pytest.mark.parametrize(
    ("signal", "rate_hz", "words"),
    [
        (np.zeros((8, 10)), 500, r"shape \(8, 10\), expected \(12, sample\)"),
        (np.zeros((12, 0)), 500, "expected"),
        (np.zeros((12, 10)), 0, "rate_hz 0 is not positive"),
        (np.full((12, 10), np.nan), 500, "not finite"),
    ],
)
def test_what_is_no_tracing_is_refused(signal, rate_hz, words):
    with pytest.raises(ValueError, match=words):
        ecg_svg(signal, rate_hz, "t")


def test_stacked_pictures_keep_their_size_and_their_paper():
    one, other = ecg_svg(tracing(), 500, "one"), ecg_svg(3 * tracing(), 500, "other")
    whole = ElementTree.fromstring(stacked([one, other]))
    heights = [float(re.search(r'viewBox="0 0 \S+ (\S+)"', svg)[1]) for svg in (one, other)]
    assert float(whole.attrib["viewBox"].split()[3]) == sum(heights)
    names = re.findall(r'id="(paper-[^"]+)"', stacked([one, other]))
    boxes = {name: re.findall(rf'<pattern id="{name}"[^>]*>', one + other) for name in names}
    assert all(len(set(found)) == 1 for found in boxes.values())


@pytest.mark.parametrize("decimals", [1, 6])
def test_the_area_under_a_curve_is_its_auroc(decimals):
    generator = np.random.default_rng(decimals)
    positive = generator.random(400) < 0.3
    logit = np.round(generator.standard_normal(400) + positive, decimals).astype(np.float32)
    assert np.trapezoid(curve_of(positive, logit), RATES) == pytest.approx(roc_auc_score(positive, logit), abs=0.004)


def test_a_perfect_curve_is_one_everywhere_and_a_useless_one_the_diagonal():
    positive = np.array([True, True, False, False])
    assert (curve_of(positive, np.array([3.0, 2.0, 1.0, 0.0])) == 1).all()
    np.testing.assert_allclose(curve_of(positive, np.zeros(4)), RATES)
    np.testing.assert_allclose(curve_of(positive, np.array([0.0, 0.0, 1.0, 1.0])), RATES == 1)


def test_classes_without_positives_or_negatives_have_no_part_in_the_mean_curve():
    truth = np.array([[1, 0, 1], [0, 0, 1]])
    logits = np.array([[1.0, 5.0, 0.0], [0.0, 4.0, 1.0]])
    assert (macro_curve(truth, logits) == 1).all()
    assert macro_curve(truth[:, 1:], logits[:, 1:]) is None


def test_a_pretraining_task_without_an_evaluable_class_is_drawn_without_points(tmp_path: Path) -> None:
    """As on six real exams: every class has its row and its count, none has a point."""
    from codeii.artifacts.scores import write_scores
    from codeii.reporting.figures import per_class_forest
    from codeii.reporting.study import Inputs, read_study

    rows = [
        (
            "pretraining",
            "resnet1d",
            "from_scratch",
            1.0,
            0,
            "mean",
            "test",
            "auroc",
            name,
            np.nan,
            np.nan,
            np.nan,
            1,
            0,
            1,
        )
        for name in ("AF", "SB")
    ]
    made = {"settings": {}, "code": "c", "inputs": [], "facts": {}, "synthetic": False}
    manifest = write_scores(tmp_path, score_frame(rows), no_replicates(), **made)
    picture = per_class_forest.draw(read_study(Inputs(scores=(manifest,))))
    assert picture.png.startswith(b"\x89PNG")
