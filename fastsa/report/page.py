"""The demo's page: one self-contained HTML file."""

from __future__ import annotations

import os
from html import escape
from pathlib import Path

import numpy as np

from fastsa.report.demo import REFINED, DemoResult
from fastsa.report.figures import digit_png, estimate_against_truth, mislabel_curves
from fastsa.report.table import COLUMNS, cells, notes

_N_LOWEST = 20

_STYLE = """
body { font: 16px/1.55 system-ui, sans-serif; color: #1d2127; background: #fff; max-width: 60rem; margin: 3rem auto; padding: 0 1.5rem; }
h1 { font-size: 1.7rem; margin-bottom: .3rem; } h2 { font-size: 1.15rem; margin: 2.6rem 0 .6rem; }
p { max-width: 46rem; } .quiet { color: #5b626c; font-size: .9rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: .93rem; }
th, td { padding: .3rem .8rem; text-align: right; border-bottom: 1px solid #e4e7eb; white-space: nowrap; }
th { font-weight: 600; color: #5b626c; } th:first-child, td:first-child { text-align: left; padding-left: 0; }
tr.own td { font-weight: 600; color: #2563a8; }
svg { max-width: 100%; height: auto; }
.digits { display: grid; grid-template-columns: repeat(auto-fill, minmax(8.4rem, 1fr)); gap: 1rem; padding: 0; }
.digits figure { margin: 0; padding: .7rem; border: 1px solid #e4e7eb; border-radius: .4rem; }
.digits figure.wrong { border-color: #b8373a; }
.digits img { width: 100%; image-rendering: pixelated; display: block; margin-bottom: .5rem; }
.digits figcaption { font-size: .85rem; line-height: 1.45; } .digits b { float: right; }
.scroll { overflow-x: auto; }
"""


def write_page(result: DemoResult, path: str | os.PathLike[str]) -> Path:
    """Write the demo's result as one HTML file that needs nothing else; returns its path."""
    target = Path(path)
    target.write_text(page(result), encoding="utf-8")
    return target


def page(result: DemoResult) -> str:
    """The page as text: table, scatter, detection curve, and the digits of lowest value."""
    head, *rest = notes(result)
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>fastsa demo: what is each digit worth?</title><style>{_STYLE}</style>
<h1>What is each training digit worth?</h1>
<p>{escape(head)} The value of a digit is its mean effect on the accuracy of a logistic regression when it joins a random
training set.</p>
<h2>Every method on the same labels</h2>
<div class="scroll">{_table(result)}</div>
<p class="quiet">{"<br>".join(map(escape, rest))}</p>
<h2>Estimate against ground truth</h2>
{estimate_against_truth(result)}
<h2>Finding the wrong classes</h2>
<p class="quiet">A value says what a digit does to the score, not whether its class is right: some wrong classes do little harm.
Where only wrong classes are sought, a classifier's margin or nearest neighbours are the better tool, and cheaper.</p>
{mislabel_curves(result)}
<h2>The {_N_LOWEST} digits of lowest value</h2>
<p class="quiet">Red frames: the given class is wrong. Suggested: the class that a logistic
regression which has not seen the digit finds likeliest.</p>
<div class="digits">{_lowest(result)}</div>
</html>
"""


def _table(result: DemoResult) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in ("", *COLUMNS))
    rows = []
    for row in result.rows:
        own = ' class="own"' if row.name == REFINED else ""
        rows.append(f"<tr{own}>" + "".join(f"<td>{escape(c)}</td>" for c in (row.name, *cells(row))) + "</tr>")
    return f"<table><thead><tr>{head}</tr></thead><tbody>{''.join(rows)}</tbody></table>"


def _lowest(result: DemoResult) -> str:
    values, digits = result.row(REFINED).values, result.digits
    figures = []
    for i in np.argsort(values, kind="stable")[:_N_LOWEST]:
        wrong = ' class="wrong"' if digits.is_mislabeled[i] else ""
        lines = (
            ("given", digits.y[i]),
            ("true", digits.y_true[i]),
            ("suggested", result.suggested[i]),
            ("value", f"{1000 * values[i]:.2f} ‰"),
        )
        caption = "".join(f"<div>{what}<b>{escape(str(value))}</b></div>" for what, value in lines)
        figures.append(
            f'<figure{wrong}><img src="{digit_png(digits.X[i])}" alt="digit {digits.y_true[i]}">'
            f"<figcaption>{caption}</figcaption></figure>"
        )
    return "".join(figures)
