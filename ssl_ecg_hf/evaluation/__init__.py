"""Predictions -> metrics.json: metrics, statistics and plots; the only source of numbers."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
