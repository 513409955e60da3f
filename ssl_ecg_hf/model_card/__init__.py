"""Configuration, metrics and recipe of a checkpoint -> its README.md on the Hub."""

from ssl_ecg_hf.model_card.card import Kind, render_model_card
from ssl_ecg_hf.model_card.quick_start import EXAMPLE_FILE, quick_start

__all__ = ["EXAMPLE_FILE", "Kind", "quick_start", "render_model_card"]
