"""Self-supervised learning on 12-lead ECGs with Hugging Face Transformers.

The names are in `__init__.pyi`, here and in most rooms, and are imported on first use, so that
`import ssl_ecg_hf` costs nothing; using any model name, or `import ssl_ecg_hf.modeling`, registers
the Auto classes.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
