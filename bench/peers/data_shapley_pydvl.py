"""pyDVL's utility of a logistic regression on given coalitions.  Environment: pip install "pyDVL==0.10.0" "numpy<2"."""

from __future__ import annotations

import sys
import time

import numpy as np
from pydvl.valuation.dataset import Dataset
from pydvl.valuation.scorers import SupervisedScorer
from pydvl.valuation.types import Sample
from pydvl.valuation.utility import ModelUtility
from sklearn.linear_model import LogisticRegression

given = np.load(sys.argv[1])
train, validation = Dataset(given["X"], given["y"]), Dataset(given["X_val"], given["y_val"])
scorer = SupervisedScorer("accuracy", validation, default=0.5, range=(0.0, 1.0))
utility = ModelUtility(LogisticRegression(), scorer, show_warnings=False).with_dataset(train)
coalitions = np.split(given["players"], given["ends"][:-1])
for members in coalitions[:3]:
    utility(Sample(None, members))
start = time.perf_counter()
values = [utility(Sample(None, members)) for members in coalitions]
np.savez(sys.argv[2], seconds=time.perf_counter() - start, values=values)
