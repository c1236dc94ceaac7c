"""The front door of exact nearest-neighbour values."""

from fastsa.knn.door import knn_shapley

__all__ = ["knn_shapley"]
