"""The model card, ``README.md``: what a model is, how it is used, where it ends."""

from __future__ import annotations

import math

from iic.methods.iic.maps import Settings as MapSettings
from iic.own.model import FitReceipt, ModelConfig
from iic.own.vectors import VectorSettings

CARD = """---
library_name: iic
tags: [clustering, unsupervised, image-clustering]
---

# {k} clusters of {what}{images} images

Invariant Information Clustering (Ji, Henriques and Vedaldi, ICCV 2019), {made}

| | |
|---|---|
{rows}

## Use

`iic predict MODEL FOLDER {options}`. `model.safetensors` holds the weights, `config.json`
the settings that build the network, `fit.json` how it was made.

{company} So an image gets the same answer
alone and in any folder.

## Limits

- Clusters are numbers without names, and need not be the groups that you look for.
- The objective prefers clusters of equal size.
- The network was trained on these images alone. Images of another kind get an answer as well, which
  means nothing.
- The licence of the code is MIT. It says nothing about the images.
"""


def card(config: ModelConfig, receipt: FitReceipt) -> str:
    """The model card.

    Args:
        config: The model.
        receipt: How it was made; its hashes of files may still be missing.
    """
    measured, seeds = receipt.stability, receipt.seeds
    between = "one seed only, not measured"
    if measured.ari is not None:
        between = f"adjusted Rand index {measured.ari:.3f} between {len(seeds)} seeds"
    information = -min(seed.loss for seed in seeds)
    numbers = ", ".join(str(seed.seed) for seed in seeds)
    rows = {
        "images": f"{receipt.images:,}, of which {receipt.distinct:,} differ",
        "sha256 of their contents": f"`{receipt.data_sha256}`",
        "input": _input(config),
        "seeds": f"{numbers}; this model is seed {receipt.reported}, of lowest loss",
        "mutual information": f"{information:.3f} of at most {math.log(config.k):.3f} nats",
        "stability": f"{between}; sub-heads agree on {measured.agreement:.1%} of the images",
    }
    made = f"trained without labels by\n`iic fit` {config.version}."
    released = receipt.request.released
    if released is not None:
        made = (
            f"weights of the authors' release:\n{released.architecture}, read from a file with "
            f"sha256 `{released.sha256}` by `iic import-released`."
        )
    return CARD.format(
        k=config.k,
        options=_options(config),
        company=_company(config),
        images=f"{receipt.images:,}",
        what="pixels of " if isinstance(config.settings, MapSettings) else "",
        made=made,
        rows="\n".join(f"| {name} | {text} |" for name, text in rows.items()),
    )


def _input(config: ModelConfig) -> str:
    if isinstance(config.settings, VectorSettings):
        maker = "of a file" if config.backbone is None else f"by {config.backbone.model}"
        return f"{config.settings.dimensions} features of an image, {maker}"
    colour = "grey" if config.channels == 1 else "RGB"
    if isinstance(config.settings, MapSettings):
        return f"{colour}, the shorter side at {config.side} pixels"
    return f"{colour}, the middle square at {config.side} x {config.side} pixels"


def _options(config: ModelConfig) -> str:
    """Of `iic predict`."""
    if isinstance(config.settings, MapSettings):
        return "--out segmented"
    takes_features = isinstance(config.settings, VectorSettings) and config.backbone is None
    return "--out clusters.csv" + (" --features FILE" if takes_features else "")


def _company(config: ModelConfig) -> str:
    """Why an answer does not depend on other images."""
    if isinstance(config.settings, VectorSettings):
        return "No layer normalises by other images."
    kept = config.settings.network.batchnorm_running_statistics
    whose = "its training" if kept else "all images of the fit"
    return f"BatchNorm is frozen: it has the statistics of {whose}."
