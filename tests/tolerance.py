"""How far apart floats may be before a test calls them different, and why."""

from __future__ import annotations

# Sums of the same float64 terms in another order: shards that were merged, means of few numbers.
REORDERED = 1e-12
# Fitted coefficients against another solver of the same objective, relative to the largest of them or to 1.
COEFFICIENTS = 1e-4
# Log-loss of two fits whose coefficients agree: a step of one tolerance of the solver (5e-5 in the Hessian's norm).
LOG_LOSS = 5e-5
# Coalitions on which two converged fits may predict some validation point differently.
SHARE_OF_OTHER_ACCURACIES = 0.005
# The objective at a fit against its minimum, relative: the square of the solver's tolerance.
OBJECTIVE = 1e-8
