"""Networks that learn from noisy labels, the correction of what they got wrong, and the honest baselines; torch is loaded
on first use."""

from fastsa.amortize import baselines
from fastsa.amortize.attribution.ends import ends
from fastsa.amortize.attribution.informed_head import InformedHead
from fastsa.amortize.attribution.informed_inputs import InformedInputs, informed_inputs
from fastsa.amortize.attribution.item_variance import item_variance
from fastsa.amortize.attribution.net import AttributionNet
from fastsa.amortize.attribution.surrogate import masked_surrogate
from fastsa.amortize.correction.conformal import conformal_interval
from fastsa.amortize.correction.cross_fit import cross_refine, crossfit
from fastsa.amortize.correction.refine import Refined, refine
from fastsa.amortize.datamodels.member_regression import member_regression
from fastsa.amortize.datamodels.net import DatamodelNet
from fastsa.amortize.ensemble import Ensemble
from fastsa.amortize.noise_weights import noise_weights
from fastsa.amortize.valuation.influences import Influences
from fastsa.amortize.valuation.net import ValuationNet

__all__ = [
    "AttributionNet",
    "DatamodelNet",
    "Ensemble",
    "Influences",
    "InformedHead",
    "InformedInputs",
    "Refined",
    "ValuationNet",
    "baselines",
    "conformal_interval",
    "cross_refine",
    "crossfit",
    "ends",
    "informed_inputs",
    "item_variance",
    "masked_surrogate",
    "member_regression",
    "noise_weights",
    "refine",
]
