"""Use an exported checkpoint as anybody would who does not have this package."""

import sys

import numpy as np
from transformers import AutoFeatureExtractor, AutoModel

repo = sys.argv[1] if len(sys.argv) > 1 else "runs/demo/hub"  # a folder, or owner/name on the Hub
extractor = AutoFeatureExtractor.from_pretrained(repo, trust_remote_code=True)
model = AutoModel.from_pretrained(repo, trust_remote_code=True).eval()

rng = np.random.default_rng(0)
signal = np.cumsum(rng.normal(0, 0.02, (12, 5000)), axis=1)  # 10 s at 500 Hz, in mV
signal -= signal.mean(axis=1, keepdims=True)
inputs = extractor(signal, sampling_rate=500, leads="standard", unit="mV", return_tensors="pt")
probabilities = model(**inputs)["logits"].sigmoid()[0]
for index, probability in enumerate(probabilities.tolist()):
    print(f"{model.config.id2label[index]:5} {probability:.3f}")
