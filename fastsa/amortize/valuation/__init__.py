"""Networks that value the points of a data set."""
