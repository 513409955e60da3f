from .arguments import SslEcgTrainingArguments as SslEcgTrainingArguments
from .augmentations import AUGMENTATIONS as AUGMENTATIONS
from .augmentations import PRESETS as PRESETS
from .augmentations import build_augmentation as build_augmentation
from .probe import fit_probe as fit_probe
from .trainer import SslEcgTrainer as SslEcgTrainer
