"""Use an exported checkpoint as anybody would who does not have this package."""

import sys

import numpy as np
import torch
from transformers import AutoFeatureExtractor, AutoModel
from transformers.utils import cached_file

repo = sys.argv[1] if len(sys.argv) > 1 else "runs/demo/hub"  # a folder, or owner/name on the Hub
extractor = AutoFeatureExtractor.from_pretrained(repo, trust_remote_code=True)
model = AutoModel.from_pretrained(repo, trust_remote_code=True).eval()

signal = np.load(cached_file(repo, "example_ecg.npy"))  # (12, samples); state what yours are
inputs = extractor(signal, sampling_rate=100, leads="standard", unit="mV", return_tensors="pt")
with torch.no_grad():
    probabilities = model(**inputs)["logits"].sigmoid()[0]
for index, probability in enumerate(probabilities.tolist()):
    print(f"{model.config.id2label[index]:5} {probability:.3f}")
