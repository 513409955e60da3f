"""Pretrain an encoder with SimCLR on recordings without labels."""

import sys

from transformers import TrainingArguments

from ssl_ecg_hf import SslEcgConfig, SslEcgForSimCLR, SslEcgTrainer, simulate_dataset

output_dir = sys.argv[1] if len(sys.argv) > 1 else "runs/example_simclr"
recordings = simulate_dataset(300, seed=0)  # or load_ptbxl("path/to/ptb-xl")

trainer = SslEcgTrainer(
    model=SslEcgForSimCLR(SslEcgConfig(objective_options={"temperature": 0.1})),
    args=TrainingArguments(
        output_dir,
        per_device_train_batch_size=64,
        per_device_eval_batch_size=64,
        num_train_epochs=2,
        learning_rate=1e-3,
        eval_strategy="epoch",
        logging_steps=2,
    ),
    train_dataset=recordings["train"],
    eval_dataset=recordings["validation"],
)
trainer.train()
trainer.save_model(output_dir)
print(f"encoder and projection head: {output_dir}")
