"""Entry to the engine: train DEC without labels, stage after stage."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from iic.engine.context import Outcome, RunContext
from iic.engine.device import configure, leased_device
from iic.engine.loop import Loop
from iic.methods.dec.network import MEMORY
from iic.methods.dec.settings import DECSettings
from iic.methods.dec.task import DECTask

D = TypeVar("D", bound=DECSettings)


class DECLoop(Loop):
    """The training loop with DEC's phases, and its stop before the last epoch.

    Args:
        task: What is trained.
        settings: Phases, learning rates and tolerance.
        deterministic: As for `Loop`.
    """

    def __init__(self, task: DECTask, settings: DECSettings, deterministic: bool) -> None:
        whole = settings.schedule.model_copy(update={"epochs": settings.total_epochs})
        self._settings = settings
        self._dec = task
        super().__init__(task, settings.optimiser, whole, deterministic)
        if task.stopped:
            self.total_steps = self.state.steps

    def run(self) -> Outcome:
        """Train to the end; the weights come without the memory of single images.

        Raises:
            NonFiniteLoss: The loss was NaN or infinite; the last checkpoint is left.
            Interrupted: A signal came; a checkpoint of this very step is left.
        """
        outcome = super().run()
        kept = {
            name: tensor
            for name, tensor in (outcome.tensors or {}).items()
            if name.rpartition(".")[2] not in MEMORY
        }
        return replace(outcome, tensors=kept)

    def begin_epoch(self, epoch: int) -> None:
        """Set the learning rate; at a phase's start forget all momentum, and set the centres."""
        phase = self._settings.phase(epoch)
        if phase.epoch == 0:
            self.optimiser.state.clear()
            # a gradient of zeros would let the optimiser touch what this phase does not train
            self.optimiser.zero_grad(set_to_none=True)
            if phase.stage == "clustering":
                self._dec.start_clustering()
        for group in self.optimiser.param_groups:
            group["lr"] = self._settings.learning_rate(phase)

    def _close_epoch(self, trained: list[str]) -> None:
        """After an epoch of clustering: new targets where they are due, and perhaps the end."""
        if trained:
            phase = self._settings.phase(self.state.epoch - 1)
            due = (phase.epoch + 1) % self._settings.refresh_epochs == 0
            if phase.stage == "clustering" and due:
                self._check_finite(weights=True)
                self._dec.refresh_targets()
                if self._dec.stopped:
                    self.total_steps = self.state.steps
        super()._close_epoch(trained)


def train_dec(context: RunContext[D]) -> Outcome:
    """Train to the end, or go on from the run's checkpoint.

    Args:
        context: The run: data, seed, paths, fingerprint and settings.

    Raises:
        CheckpointError: The run's checkpoint was made by other settings, data or code.
        IICError: The settings ask for a GPU and there is none.
        NonFiniteLoss: The loss was NaN or infinite; the last checkpoint is left.
        Interrupted: SIGTERM or SIGINT came; a checkpoint of this very step is left.
    """
    settings = context.settings
    with leased_device(settings.gpu) as device:
        deterministic = configure(device, settings.threads)
        task = DECTask(context, device=device)
        return DECLoop(task, settings, deterministic).run()
