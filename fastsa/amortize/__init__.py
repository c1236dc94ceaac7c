"""Networks that learn from noisy labels, the correction of what they got wrong, and the honest baselines; torch is loaded
on first use."""

from fastsa.amortize import baselines
from fastsa.amortize.attribution_net import AttributionNet
from fastsa.amortize.conformal import conformal_interval
from fastsa.amortize.cross_fit import cross_refine, crossfit
from fastsa.amortize.datamodel_net import DatamodelNet
from fastsa.amortize.ends import ends
from fastsa.amortize.ensemble import Ensemble
from fastsa.amortize.informed_head import InformedHead
from fastsa.amortize.informed_inputs import InformedInputs, informed_inputs
from fastsa.amortize.item_variance import item_variance
from fastsa.amortize.member_regression import member_regression
from fastsa.amortize.noise_weights import noise_weights
from fastsa.amortize.refine import Refined, refine
from fastsa.amortize.surrogate import masked_surrogate
from fastsa.amortize.valuation_net import ValuationNet

__all__ = [
    "AttributionNet",
    "DatamodelNet",
    "Ensemble",
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
