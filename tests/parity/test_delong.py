"""DeLong's test and Holm's correction against R: stored results of pROC and p.adjust."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from codeii.evaluation.delong import compare, components
from codeii.evaluation.holm import holm


@pytest.mark.parametrize("pair", ["p1", "p2", "p3", "p4", "p5"])
def test_areas_variances_and_p_are_those_of_proc(shared: Path, pair: str) -> None:
    given = pd.read_csv(shared / "parity/metrics_delong_input.csv")
    rows = given[given["pair"] == pair]
    expected = pd.read_csv(shared / "parity/metrics_delong_pROC.csv", skipinitialspace=True).set_index("pair").loc[pair]
    target = rows["y"].to_numpy() == 1
    first, second = (components(rows[name].to_numpy(), target) for name in ("score_a", "score_b"))
    gap = compare(first, second, target, np.arange(len(target)))
    assert [first.auroc, second.auroc] == pytest.approx([expected["auc_a"], expected["auc_b"]], abs=1e-10)
    found = [gap.covariance[0, 0], gap.covariance[1, 1], gap.covariance[0, 1], gap.z, gap.p]
    assert found == pytest.approx(list(expected[["var_a", "var_b", "cov_ab", "z", "p"]]), abs=1e-10)
    ends = gap.difference - 1.959963984540054 * gap.error, gap.difference + 1.959963984540054 * gap.error
    assert ends == pytest.approx((expected["diff_ci_low"], expected["diff_ci_high"]), abs=1e-10)


def test_corrected_p_values_are_those_of_r(shared: Path) -> None:
    table = pd.read_csv(shared / "parity/metrics_p_adjust.csv", skipinitialspace=True)
    sets = table[table["method"] == "holm"].groupby("set")
    assert len(sets)
    for _, rows in sets:
        np.testing.assert_allclose(holm(rows["p"].to_numpy()), rows["adjusted"], rtol=0, atol=1e-12)
