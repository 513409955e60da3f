"""Configuration, metrics and recipe of a checkpoint -> its README.md on the Hub."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
