"""Loss curves of an experiment, for the parent run's page."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from codeii.tracking.epochs import LOSS, Epoch

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PANELS = {"train_loss": "training loss", LOSS: "validation loss"}
NAMED = 12  # more runs than this are not named one by one


def loss_curves(runs: Mapping[str, Sequence[Epoch]], synthetic: bool) -> "Figure":
    """Training and validation loss by epoch, a line for each run."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 4), layout="constrained")
    FigureCanvasAgg(figure)
    if synthetic:
        figure.suptitle("SYNTHETIC DATA", color="#a4161a", fontweight="bold")
    for place, (name, words) in enumerate(PANELS.items(), 1):
        axes = figure.add_subplot(1, 2, place)
        axes.set(title=words, xlabel="epoch")
        for run, epochs in runs.items():
            axes.plot([one.number for one in epochs], [one.values.get(name, float("nan")) for one in epochs], label=run)
    if len(runs) <= NAMED:
        figure.legend(*axes.get_legend_handles_labels(), loc="outside right upper", fontsize=7)
    return figure
