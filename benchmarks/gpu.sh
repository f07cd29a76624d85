#!/usr/bin/env bash
# All that needs a GPU, in one command of under nine minutes: set-up, the tests marked gpu, speed
# against the plain formulation, and MNIST. Results: benchmarks/results/gpu.json.
#
#   benchmarks/gpu.sh [WHEELS [MNIST]]
#
# WHEELS: a folder of wheels of what pyproject.toml asks for besides torch and torchvision, which the
#     machine's Python has; made elsewhere by `pip download --dest WHEELS ...`. Without, pip asks its
#     index.
# MNIST: a folder of the four raw files, as data/raw/mnist; else they are downloaded.
set -euo pipefail
cd "$(dirname "$0")/.."
wheels=${1:-} mnist=${2:-}
python3 -m venv --system-site-packages scratch/gpu
source scratch/gpu/bin/activate
index=(); [ -z "$wheels" ] || index=(--no-index --find-links "$wheels")
python - > scratch/gpu/needed.txt <<'PYTHON'
import tomllib
project = tomllib.load(open("pyproject.toml", "rb"))["project"]
names = project["dependencies"] + [
    each for each in project["optional-dependencies"]["dev"] if each.startswith(("pytest", "hypothesis"))
]
print("\n".join(each for each in names if not each.startswith("torch")))
PYTHON
pip install --quiet "${index[@]}" -r scratch/gpu/needed.txt
export PYTHONPATH=.
for module in iic.engine.run iic.methods.iic.task iic.augment.pipeline; do python -c "import $module"; done
timeout 120 python -m pytest -q -m gpu tests || echo "tests marked gpu: failed" >&2
[ -z "$mnist" ] || { mkdir -p data/raw && cp -r "$mnist" data/raw/mnist; }
python -m iic download --dataset mnist && python -m iic prepare --dataset mnist
timeout 330 python -m benchmarks.gpu
