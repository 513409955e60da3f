"""ssl_ecg_hf."""
