"""Networks that learn from noisy labels, and the honest baselines for them; torch is loaded on first use."""

from fastsa.amortize import baselines
from fastsa.amortize.attribution_net import AttributionNet
from fastsa.amortize.ends import ends
from fastsa.amortize.surrogate import masked_surrogate
from fastsa.amortize.valuation_net import ValuationNet

__all__ = ["AttributionNet", "ValuationNet", "baselines", "ends", "masked_surrogate"]
