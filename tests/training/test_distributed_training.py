"""Training in two processes: what the Trainer, the gathering loss and BYOL's frozen target make of it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

# BatchNorm sees the batch of its own process, so one and two processes can only agree with fixed statistics.
WORKER = """
import json, os, sys
import torch
import torch.distributed as dist
from torch import nn
from datasets import load_from_disk
from ssl_ecg_hf.modeling import SslEcgConfig, SslEcgForBYOL, SslEcgForSimCLR
from ssl_ecg_hf.training import SslEcgTrainer, SslEcgTrainingArguments

def run(model_class, *, fixed_statistics, output):
    class Model(model_class):
        def train(self, mode=True):
            super().train(mode)
            for module in self.modules():
                if fixed_statistics and isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
            return self

    torch.manual_seed(0)
    model = Model(SslEcgConfig(**json.loads(sys.argv[3])))
    args = SslEcgTrainingArguments(
        output, max_steps=3, per_device_train_batch_size=16 // int(os.environ.get("WORLD_SIZE", 1)),
        augmentations="none", optim="sgd", learning_rate=0.1, max_grad_norm=1000.0, save_strategy="no",
        logging_steps=1, disable_tqdm=True, use_cpu=True, ddp_find_unused_parameters=False,
    )
    trainer = SslEcgTrainer(model, args, train_dataset=load_from_disk(sys.argv[1])["train"])
    trainer.train()
    losses = [entry["loss"] for entry in trainer.state.log_history if "loss" in entry]
    return {"losses": losses, "state": model.state_dict()}

rank = int(os.environ.get("RANK", 0))
found = {
    "simclr": run(SslEcgForSimCLR, fixed_statistics=True, output=sys.argv[2]),
    "byol": run(SslEcgForBYOL, fixed_statistics=True, output=sys.argv[2]),
    "byol_as_usual": run(SslEcgForBYOL, fixed_statistics=False, output=sys.argv[2]),
}
torch.save(found, f"{sys.argv[2]}/{rank}-of-{os.environ.get('WORLD_SIZE', 1)}.pt")
if dist.is_initialized():
    dist.destroy_process_group()
"""


@pytest.mark.slow
def test_two_processes_train_as_one(
    data_folder: Path, config_text: str, tmp_path: Path, run_python: Callable[..., str]
) -> None:
    (tmp_path / "worker.py").write_text(WORKER, encoding="utf-8")
    words = (tmp_path / "worker.py", data_folder, tmp_path, config_text)
    for processes in (1, 2):
        run_python(*words, processes=processes)
    one = torch.load(tmp_path / "0-of-1.pt")
    first, second = (torch.load(tmp_path / f"{rank}-of-2.pt") for rank in range(2))
    for method in ("simclr", "byol"):
        assert first[method]["losses"] == pytest.approx(one[method]["losses"], abs=1e-5)
        for name, value in one[method]["state"].items():
            torch.testing.assert_close(first[method]["state"][name], value, rtol=0, atol=1e-5, msg=name)
    for method, found in first.items():
        for name, value in found["state"].items():
            if not name.endswith(("running_mean", "running_var")):  # of its own half of the batch
                assert torch.equal(value, second[method]["state"][name]), (method, name)
        assert all(torch.tensor(found["losses"]).isfinite())
    target = first["byol_as_usual"]["state"]
    assert not torch.equal(
        target["target_encoder.blocks.0.conv.weight"], target["encoder.blocks.0.conv.weight"]
    )
