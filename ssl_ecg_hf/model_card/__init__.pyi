from .card import PICTURES as PICTURES
from .card import Example as Example
from .card import Kind as Kind
from .card import Supplement as Supplement
from .card import render_model_card as render_model_card
from .quick_start import EXAMPLE_FILE as EXAMPLE_FILE
from .quick_start import quick_start as quick_start
