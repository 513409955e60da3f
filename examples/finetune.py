"""Fine-tune a pretrained encoder on one's own datasets.Dataset with the columns `signal` and `labels`."""

import sys

import numpy as np
from datasets import Dataset

from ssl_ecg_hf import SslEcgForSequenceClassification, SslEcgTrainer, SslEcgTrainingArguments

checkpoint = sys.argv[1] if len(sys.argv) > 1 else "runs/example_simclr"
output_dir = sys.argv[2] if len(sys.argv) > 2 else "runs/example_classifier"

# Millivolts, 12 leads in the standard order, at the model's sampling rate; two classes, multi-hot. A row of
# zeros is a recording without any of them: has_labels says that somebody has looked.
rng = np.random.default_rng(0)
labels = rng.integers(0, 2, (120, 2))
signal = rng.normal(0, 0.1, (120, 12, 1000)) + labels[:, :1, None] * np.sin(np.arange(1000) / 8)
own = Dataset.from_dict({"signal": signal.astype("float32"), "labels": labels, "has_labels": [True] * 120})

model = SslEcgForSequenceClassification.from_pretrained(
    checkpoint, id2label={0: "rhythm A", 1: "rhythm B"}, problem_type="multi_label_classification"
)
trainer = SslEcgTrainer(
    model=model,
    args=SslEcgTrainingArguments(
        output_dir,
        num_train_epochs=3,
        learning_rate=1e-3,
        encoder_learning_rate=3e-4,
        augmentations="light",
        eval_strategy="epoch",
    ),
    train_dataset=own.select(range(100)),
    eval_dataset=own.select(range(100, 120)),
)
trainer.train()
trainer.save_model(output_dir)
print(trainer.evaluate()["eval_macro_auroc"])
