"""Predictions weighed against labels they have not seen, and how wrong either is."""
