from .analysis import Analysis as Analysis
from .analysis import Finding as Finding
from .analysis import analyse as analyse
from .analysis import load_classify as load_classify
from .folder import write_space as write_space
