"""The trainers of Lightning and Transformers report to a trial."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning
import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset
from transformers import BertConfig, BertForSequenceClassification, Trainer, TrainingArguments

import asha_bus as ab
from asha_bus.integrations import lightning as with_lightning
from asha_bus.integrations import transformers as with_transformers

#: Lightning knows how to train faster than what is so small.
pytestmark = pytest.mark.filterwarnings("default")

X = torch.randn((16, 4), generator=torch.Generator().manual_seed(0))


def reported(objective: Any, steps: int = 3) -> Any:
    (trial,) = ab.dry_run(objective, ab.Space(rate=0.1), steps=steps, quiet=True).trials
    return trial


class Sums(lightning.LightningModule):  # type: ignore[misc]
    """Learns to add."""

    def __init__(self, rate: float) -> None:
        super().__init__()
        self.rate = rate
        self.layer = torch.nn.Linear(4, 1)

    def loss(self, x: Any) -> Any:
        return ((self.layer(x)[:, 0] - x.sum(axis=1)) ** 2).mean()

    def training_step(self, batch: Any, number: int) -> Any:
        loss = self.loss(batch[0])
        self.log("loss", loss, on_step=False, on_epoch=True)
        return loss

    def validation_step(self, batch: Any, number: int) -> None:
        self.log("val_loss", self.loss(batch[0]))

    def configure_optimizers(self) -> Any:
        return torch.optim.SGD(self.parameters(), self.rate)


def fit(trial: Any, metric: str) -> None:
    trainer = lightning.Trainer(
        accelerator="cpu",
        devices=1,
        max_epochs=20,
        callbacks=[with_lightning.ReportCallback(trial, metric)],
        enable_checkpointing=False,
        enable_progress_bar=False,
        enable_model_summary=False,
        logger=False,
    )
    data = DataLoader(TensorDataset(X), 8)
    trainer.fit(Sums(**trial.params), data, data)
    trial.log(f"{trainer.current_epoch} epochs")


def test_lightning_reports_each_epoch_until_the_trial_is_stopped() -> None:
    def train(trial: Any) -> None:
        fit(trial, "val_loss")

    trial = reported(train)
    assert ("stopped", None, ["3 epochs"]) == (trial.outcome, trial.error, trial.log)
    assert [1, 2, 3] == [step.resource for step in trial.steps]  # without the sanity check
    assert trial.steps[2].metric < trial.steps[0].metric
    assert {("loss",)} == {tuple(step.extras) for step in trial.steps}


def test_what_lightning_does_not_log_fails_the_trial_in_words() -> None:
    def train(trial: Any) -> None:
        fit(trial, "accuracy")

    trial = reported(train)
    assert "failed" == trial.outcome
    assert "metric 'accuracy' is not among what was measured: " in trial.error


def trainer_of(trial: Any, metric: str, folder: Path) -> Any:
    config = BertConfig(
        vocab_size=4,
        hidden_size=8,
        intermediate_size=8,
        num_hidden_layers=1,
        num_attention_heads=1,
        max_position_embeddings=4,
    )
    examples = [{"input_ids": torch.tensor([n % 2, 2]), "labels": n % 2} for n in range(8)]
    settings = TrainingArguments(
        str(folder),
        num_train_epochs=20,
        eval_strategy="epoch",
        save_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=True,
    )
    return Trainer(
        BertForSequenceClassification(config),
        settings,
        train_dataset=examples,
        eval_dataset=examples,
        callbacks=[with_transformers.ReportCallback(trial, metric)],
    )


def test_transformers_report_each_evaluation_until_the_trial_is_stopped(tmp_path: Path) -> None:
    def train(trial: Any) -> None:
        trainer = trainer_of(trial, "eval_loss", tmp_path)
        trainer.train()
        trial.log(f"{trainer.state.epoch:g} epochs")

    trial = reported(train)
    assert ("stopped", None, ["3 epochs"]) == (trial.outcome, trial.error, trial.log)
    assert [1, 2, 3] == [step.resource for step in trial.steps]
    assert [1, 2, 3] == [step.extras["epoch"] for step in trial.steps]


def test_an_evaluation_after_the_training_is_not_reported(tmp_path: Path) -> None:
    def train(trial: Any) -> None:
        trainer = trainer_of(trial, "eval_loss", tmp_path)
        trainer.args.num_train_epochs = 2
        trainer.train()
        trainer.evaluate()

    trial = reported(train, steps=50)
    assert ("completed", 2) == (trial.outcome, len(trial.steps))


def test_what_transformers_do_not_measure_fails_the_trial_in_words(tmp_path: Path) -> None:
    def train(trial: Any) -> None:
        trainer_of(trial, "eval_accuracy", tmp_path).train()

    trial = reported(train)
    assert "failed" == trial.outcome
    assert "metric 'eval_accuracy' is not among what was measured: eval_loss, " in trial.error


@pytest.mark.parametrize("module", [with_lightning, with_transformers])
def test_a_callback_refuses_what_is_not_a_trial(module: Any) -> None:
    with pytest.raises(ab.InvalidArgument, match="trial is 'loss'; pass the trial"):
        module.ReportCallback("loss", "loss")
