"""A web page for a release: drop a file, see the ECG, what the model says of it and what it looked at.

The page needs Gradio, the shading Captum: ``pip install "ssl_ecg_hf[space]"``.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
