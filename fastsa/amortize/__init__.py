"""Networks that learn from noisy labels, and the honest baselines for them; torch is loaded on first use."""

from fastsa.amortize import baselines
from fastsa.amortize.valuation_net import ValuationNet

__all__ = ["ValuationNet", "baselines"]
