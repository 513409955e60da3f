"""`python -m ssl_ecg_hf` is `ssl-ecg`, for launchers such as torchrun."""

import sys

from ssl_ecg_hf.cli import main

sys.exit(main())
