"""The demo's table as text."""

from __future__ import annotations

from fastsa.display import columns_of_text
from fastsa.report.demo import DemoResult, Row

COLUMNS = ("error", "95 % interval", "Pearson", "Spearman", "sign", "AUROC", "AUPRC")


def cells(row: Row) -> tuple[str, ...]:
    """One row under COLUMNS; a constant has no ranks, shown as a dash."""
    low, high = row.error_interval

    def shown(value: float) -> str:
        return "-" if value != value else f"{value:.2f}"

    return (
        shown(row.agreement.normalized_error),
        f"{low:.2f} .. {high:.2f}",
        shown(row.agreement.pearson),
        shown(row.agreement.spearman),
        shown(row.agreement.sign_agreement),
        shown(row.detection.auroc),
        shown(row.detection.auprc),
    )


def notes(result: DemoResult) -> list[str]:
    """What the columns mean and what the run took, in sentences."""
    truth_samples = int(result.truth.count[0])
    return [
        f"{result.digits.y.size:,} digits, {int(result.digits.is_mislabeled.sum())} with a wrong class; every method has "
        f"the same {result.samples} noisy labels per point.",
        f"error: squared error against ground truth on {result.truth_items.size} points ({truth_samples:,} samples each, "
        "their own noise subtracted), divided by the variance of the truth.",
        "AUROC, AUPRC: finding the wrong classes among all points by lowest value. Scores in no unit (margin, "
        "KNN-Shapley) were fitted to the labels by a straight line.",
        "amortized: the mean of two networks, each trained on half of the labels. refined: that and a point's own labels, "
        "weighted by their errors.",
        f"labels {result.label_seconds:.1f} s, training {result.train_seconds:.1f} s, ground truth "
        f"{result.truth_seconds:.1f} s.",
    ]


def table(result: DemoResult) -> str:
    """All rows in columns, then the notes."""
    lines = columns_of_text(("", *COLUMNS), [(row.name, *cells(row)) for row in result.rows])
    return "\n".join([*lines, "", *notes(result)])
