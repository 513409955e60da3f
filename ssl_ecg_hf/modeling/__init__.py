"""The remote code: configuration, encoders, model classes, feature extractor and pipeline.

Importing this package registers the Auto classes and the pipeline task `ecg-classification`. The other files
of the folder import only each other, torch, numpy, transformers and huggingface_hub: they are uploaded
with a checkpoint as they stand.
"""

from transformers import (
    AutoConfig,
    AutoFeatureExtractor,
    AutoModel,
    AutoModelForPreTraining,
    AutoModelForSequenceClassification,
)
from transformers.pipelines import PIPELINE_REGISTRY

from .configuration_ssl_ecg import SslEcgConfig
from .feature_extraction_ssl_ecg import SslEcgFeatureExtractor
from .modeling_ssl_ecg import (
    ENCODERS,
    SslEcgForPreTraining,
    SslEcgForSequenceClassification,
    SslEcgModel,
)
from .objective_byol import SslEcgForBYOL, byol_loss
from .objective_simclr import SslEcgForSimCLR, nt_xent_loss
from .pipeline_ssl_ecg import EcgClassificationPipeline

OBJECTIVES: dict[str, type[SslEcgForPreTraining]] = {"simclr": SslEcgForSimCLR, "byol": SslEcgForBYOL}

AutoConfig.register(SslEcgConfig.model_type, SslEcgConfig)
AutoFeatureExtractor.register(SslEcgConfig, SslEcgFeatureExtractor)
# Several classes share the configuration; Transformers picks the one that `config.architectures` names and
# the first where it names none of them.
AutoModel.register(SslEcgConfig, (SslEcgModel, SslEcgForSequenceClassification))
AutoModelForPreTraining.register(SslEcgConfig, tuple(OBJECTIVES.values()))
AutoModelForSequenceClassification.register(SslEcgConfig, SslEcgForSequenceClassification)
PIPELINE_REGISTRY.register_pipeline(
    "ecg-classification",
    pipeline_class=EcgClassificationPipeline,
    pt_model=AutoModelForSequenceClassification,
    type="multimodal",
)

__all__ = [
    "ENCODERS",
    "OBJECTIVES",
    "EcgClassificationPipeline",
    "SslEcgConfig",
    "SslEcgFeatureExtractor",
    "SslEcgForBYOL",
    "SslEcgForPreTraining",
    "SslEcgForSequenceClassification",
    "SslEcgForSimCLR",
    "SslEcgModel",
    "byol_loss",
    "nt_xent_loss",
]
