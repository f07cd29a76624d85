"""One training by ClustPy, for benchmarks/clustpy_crosscheck.py; runs in ClustPy's environment.

Reads a JSON object from standard input: `images` (a .npy file, (N, d) float32), `method` ("ae" or
"dec"), `seed`, and the budget as the cross-check defines it. Prints as its last line a JSON object:
the clusters that were found, by name, and seconds.
"""

from __future__ import annotations

import json
import sys
import time
from typing import Any

import numpy as np
import torch
from clustpy.deep import DEC, encode_batchwise, get_dataloader
from clustpy.deep.neural_networks import FeedforwardAutoencoder, StackedAutoencoder
from sklearn.cluster import KMeans


def half_mean_square(output: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """The loss that our DEC's learning rate of the pretraining belongs to."""
    return (output - wanted).square().mean() / 2


def half_sum(output: torch.Tensor, wanted: torch.Tensor) -> torch.Tensor:
    """The loss of our AE."""
    return (output - wanted).square().sum(dim=1).mean() / 2


def main() -> None:
    """Train as asked and print what was reached."""
    wanted: dict[str, Any] = json.load(sys.stdin)
    images = np.load(wanted["images"])
    seed, batch, restarts = wanted["seed"], wanted["batch"], wanted["restarts"]
    torch.set_num_threads(1)
    layers = [images.shape[1], *wanted["widths"], wanted["code"]]
    clusters: dict[str, list[int]] = {}

    def k_means(network: Any) -> np.ndarray:
        loader = get_dataloader(images, 2000, shuffle=False)
        found = KMeans(wanted["k"], n_init=restarts, random_state=seed)
        return found.fit_predict(encode_batchwise(loader, network))

    start = time.monotonic()
    common = {"layers": layers, "activation_fn": torch.nn.ReLU, "random_state": seed}
    if wanted["method"] == "ae":
        network = FeedforwardAutoencoder(**common)
        network.fit(
            n_epochs=wanted["epochs"], optimizer_params={"lr": wanted["learning_rate"]},
            batch_size=batch, data=images, ssl_loss_fn=half_sum,
        )  # fmt: skip
        clusters["AE and k-means"] = k_means(network).tolist()
    else:
        dropout = torch.nn.Dropout(wanted["dropout"])
        sgd = {"momentum": wanted["momentum"]}
        network = StackedAutoencoder(**common)
        pretraining = {
            "optimizer_params": {"lr": wanted["pretraining_rate"], **sgd},
            "batch_size": batch, "data": images, "optimizer_class": torch.optim.SGD,
            "ssl_loss_fn": half_mean_square,
        }  # fmt: skip
        # in two calls: the whole autoencoder is finetuned without dropout
        torch.manual_seed(seed)
        network.layerwise_training(wanted["layer_epochs"], corruption_fn=dropout, **pretraining)
        FeedforwardAutoencoder.fit(network, n_epochs=wanted["finetuning_epochs"], **pretraining)
        clusters["stacked AE and k-means"] = k_means(network).tolist()
        dec = DEC(
            wanted["k"], batch_size=batch, clustering_epochs=wanted["clustering_epochs"],
            optimizer_class=torch.optim.SGD,
            clustering_optimizer_params={"lr": wanted["clustering_rate"], **sgd},
            neural_network=network, embedding_size=wanted["code"],
            initial_clustering_params={"n_init": restarts}, random_state=seed,
        )  # fmt: skip
        dec.fit(images)
        clusters["DEC"] = dec.dec_labels_.tolist()
    print(json.dumps({"clusters": clusters, "seconds": time.monotonic() - start}))


if __name__ == "__main__":
    main()
