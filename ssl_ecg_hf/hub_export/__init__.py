"""From a checkpoint or recordings to a repository on the Hub that works without this package."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
