"""Training of the autoencoder whose hidden units are sparse."""

from __future__ import annotations

from iic.methods.autoencoders.sparse_network import SparseAutoencoder
from iic.methods.autoencoders.task import ReconstructionTask


class SparseHiddenTask(ReconstructionTask):
    """As every autoencoder's, with hidden units that the objective sees."""

    def build(self) -> SparseAutoencoder:
        """Encoder and decoder."""
        return SparseAutoencoder(self.settings.autoencoder)
