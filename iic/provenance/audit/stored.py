"""An engine that predicts with the weights of a finished run, in place of training.

This module loads torch, so only processes that the audit starts import it.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves

from iic.engine.context import Checkpoint, Outcome, RunContext
from iic.engine.device import configured
from iic.engine.task import Task
from iic.records.excerpt import read_excerpt
from iic.records.files import RecordError
from iic.records.outcome import TrainOutcome
from iic.records.paths import RunPaths

if TYPE_CHECKING:
    from iic.engine.context import Build


class ReadTensors(TorchFunctionMode):
    """Within it, every function of torch notes which tensors of a network it is given.

    Args:
        network: Whose parameters and buffers are noted.

    Attributes:
        names: Of the tensors that were read.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        tensors = (
            *network.named_parameters(remove_duplicate=False),
            *network.named_buffers(remove_duplicate=False),
        )
        self._known = {id(tensor): name for name, tensor in tensors}
        self.names: set[str] = set()

    def __torch_function__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        """Call `func` after a look at what it is given."""
        for leaf in tree_leaves((args, kwargs)):
            if id(leaf) in self._known:
                self.names.add(self._known[id(leaf)])
        return func(*args, **(kwargs or {}))


class StoredWeights:
    """What `RunContext.engine` may be: it predicts, in the order in which a training ends.

    The weights are those that lie here, or else the excerpt that git has. What an excerpt lacks is
    NaN in the network: were it of any account, so would be the numbers. A run without steps has the
    network that its seed gives, whatever is stored.

    Args:
        paths: Of the run.
        outcome: What its receipt says of it.
        root: Root of the clone.
        excerpt: Whether to take the excerpt though the weights are here.

    Attributes:
        used: Stored tensors that the predictions came from.
    """

    def __init__(
        self, paths: RunPaths, outcome: TrainOutcome, root: Path, excerpt: bool = False
    ) -> None:
        self.outcome = outcome
        self.path = root / paths.weights
        self.part = excerpt or not self.path.exists()
        if self.part:
            self.path = root / paths.excerpt
        self.used: dict[str, Tensor] = {}

    def __call__(self, context: RunContext[Any], build: Build) -> Outcome:
        """Predict as the end of a training does."""
        device, settings = torch.device("cpu"), context.settings
        with configured(device, settings.threads, settings.compute):
            task = build(context, device)
            # what is compiled for a GPU needs a compiler here, and gains nothing in one pass
            task.compute = task.compute.model_copy(
                update={"compile": task.compute.compile and not settings.gpu}
            )
            checkpoints = self.outcome.checkpoints
            last = self._predicted(task, "last")
            best, written = None, checkpoints.get("best_label")
            if written is not None and written.epoch != checkpoints["last"].epoch:
                best = self._predicted(task, "best_label")
            return Outcome(last[0], task.k, best and best[0], probabilities=last[1])

    def _predicted(self, task: Task[Any], checkpoint: str) -> tuple[Checkpoint, Any]:
        """Clusters and losses at a checkpoint, and the probabilities at the last one."""
        if self.outcome.steps:
            stored = self._load(task, checkpoint)
        else:
            stored = {}
            if task.schedule.double_evaluation:
                task.refresh_statistics()
        # by tensor and not by module: DEC's centres belong to a module that is never called
        with ReadTensors(task.network) as read:
            predictions = task.predict(probabilities=checkpoint == "last")
            losses = task.selection_losses()
        for name, tensor in stored.items():
            if name in read.names or not tensor.is_floating_point():
                self.used[f"{checkpoint}.{name}"] = tensor
        epoch = self.outcome.checkpoints[checkpoint].epoch
        return Checkpoint(epoch, predictions.clusters, losses), predictions.probabilities

    def _load(self, task: Task[Any], checkpoint: str) -> dict[str, Tensor]:
        """Put the stored weights of a checkpoint into the network.

        Raises:
            RecordError: They are of another network.
        """
        own = task.network.state_dict()
        kept = task.kept(own)
        stored = {
            name.removeprefix(f"{checkpoint}."): tensor
            for name, tensor in self._tensors().items()
            if name.startswith(f"{checkpoint}.")
        }
        odd = stored.keys() - kept.keys() if self.part else stored.keys() ^ kept.keys()
        if odd or not stored:
            names = ", ".join(sorted(odd)[:3]) or "nothing"
            raise RecordError(f"weights of another network: {names} at {checkpoint}")
        lacking = {
            name: torch.full_like(tensor, torch.nan)
            for name, tensor in kept.items()
            if name not in stored and tensor.is_floating_point()
        }
        task.network.load_state_dict({**own, **lacking, **stored})
        return stored

    def _tensors(self) -> dict[str, Tensor]:
        if not self.part:
            return load_file(self.path)
        tensors = read_excerpt(self.path).tensors
        return {name: torch.from_numpy(tensor) for name, tensor in tensors.items()}
