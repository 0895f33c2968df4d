"""Train a small classifier on handwritten digits, so that it can be interrupted at any moment.

It runs anywhere as it is (`python train.py`), and under spotlaunch it goes on where the last machine stopped.
The weights it ends with are the same to the last bit, however often it was interrupted: whatever the next
epoch depends on (weights, momentum, the state of the random numbers) is in the checkpoint.
"""

import hashlib
import json
import os
import signal
import sys
import threading
from pathlib import Path

# Sums of floats depend on their order, and so on how many threads make them. Said before numpy is imported.
os.environ["OMP_NUM_THREADS"] = "1"
os.environ["OPENBLAS_NUM_THREADS"] = "1"
os.environ["MKL_NUM_THREADS"] = "1"

import numpy as np
from sklearn.datasets import load_digits

EPOCHS = int(os.environ.get("EPOCHS", "64"))
# A pace that an onlooker can follow, and slow enough that machines which live for seconds interrupt it.
EPOCH_SECONDS = float(os.environ.get("EPOCH_SECONDS", "0.8"))
SEED = int(os.environ.get("SEED", "7"))
HIDDEN, BATCH, RATE, MOMENTUM, KEEP = 64, 32, 0.05, 0.9, 2

CHECKPOINTS = Path(os.environ.get("SPOTLAUNCH_CHECKPOINT_DIR") or "checkpoints")
RESUME = os.environ.get("SPOTLAUNCH_RESUME", "")
PROGRESS = os.environ.get("SPOTLAUNCH_PROGRESS_FILE", "")

stopping = threading.Event()


def digits(rng):
    """Images as rows of numbers from 0 to 1, and what they show: to learn from, and to test with."""
    images, labels = load_digits(return_X_y=True)
    order = rng.permutation(len(images))
    images, labels = images[order] / 16.0, labels[order]
    return (images[:1437], labels[:1437]), (images[1437:], labels[1437:])


def new_weights(rng):
    """Two layers, and for each array of weights its momentum."""
    weights = {
        "w1": rng.normal(0, np.sqrt(2 / 64), (64, HIDDEN)),
        "b1": np.zeros(HIDDEN),
        "w2": rng.normal(0, np.sqrt(2 / HIDDEN), (HIDDEN, 10)),
        "b2": np.zeros(10),
    }
    return weights, {name: np.zeros_like(w) for name, w in weights.items()}


def forward(weights, images):
    hidden = np.maximum(images @ weights["w1"] + weights["b1"], 0)
    scores = hidden @ weights["w2"] + weights["b2"]
    chances = np.exp(scores - scores.max(axis=1, keepdims=True))
    return hidden, chances / chances.sum(axis=1, keepdims=True)


def learn(weights, momentum, images, labels):
    """One step down the slope. Returns the mean loss of the batch."""
    hidden, chances = forward(weights, images)
    rows = np.arange(len(labels))
    loss = -np.log(chances[rows, labels] + 1e-12).mean()
    wrong = chances.copy()
    wrong[rows, labels] -= 1
    wrong /= len(labels)
    back = (wrong @ weights["w2"].T) * (hidden > 0)
    slopes = {"w1": images.T @ back, "b1": back.sum(axis=0), "w2": hidden.T @ wrong, "b2": wrong.sum(axis=0)}
    for name, slope in slopes.items():
        momentum[name] = MOMENTUM * momentum[name] - RATE * slope
        weights[name] = weights[name] + momentum[name]
    return loss


def save(epoch, weights, momentum, rng):
    """A whole checkpoint or none: under another name first, then renamed. The newest two stay."""
    CHECKPOINTS.mkdir(parents=True, exist_ok=True)
    path = CHECKPOINTS / f"epoch-{epoch:04d}.npz"
    half = path.with_name(f".{path.name}.tmp")
    with half.open("wb") as file:
        np.savez(
            file,
            epoch=epoch,
            rng=json.dumps(rng.bit_generator.state),
            **{f"weight_{name}": w for name, w in weights.items()},
            **{f"momentum_{name}": m for name, m in momentum.items()},
        )
        file.flush()
        os.fsync(file.fileno())
    half.replace(path)
    for old in sorted(CHECKPOINTS.glob("epoch-*.npz"))[:-KEEP]:
        old.unlink()


def load(path, weights, momentum, rng):
    """Take everything from a checkpoint. Returns the epoch it was saved after."""
    with np.load(path) as saved:
        for name in weights:
            weights[name], momentum[name] = saved[f"weight_{name}"], saved[f"momentum_{name}"]
        rng.bit_generator.state = json.loads(str(saved["rng"]))
        return int(saved["epoch"])


def tell_progress(epoch):
    if PROGRESS:
        with Path(PROGRESS).open("a") as file:
            file.write(json.dumps({"step": epoch, "total": EPOCHS}) + "\n")


def train_epoch(weights, momentum, rng, images, labels):
    """All images once, in an order of its own. Returns the mean loss."""
    order = rng.permutation(len(images))
    batches = [order[i : i + BATCH] for i in range(0, len(order), BATCH)]
    losses = []
    for batch in batches:
        losses.append(learn(weights, momentum, images[batch], labels[batch]))
        stopping.wait(EPOCH_SECONDS / len(batches))  # no pause any more once we are asked to stop
    return np.mean(losses)


def digest(weights):
    """SHA-256 of all weights, in the order of their names."""
    return hashlib.sha256(b"".join(weights[name].tobytes() for name in sorted(weights))).hexdigest()


def main():
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    (images, labels), (test_images, test_labels) = digits(np.random.default_rng(SEED))
    rng = np.random.default_rng(SEED + 1)
    weights, momentum = new_weights(rng)
    done = load(RESUME, weights, momentum, rng) if RESUME else 0
    print(f"resumed after epoch {done}" if RESUME else f"training from the beginning, {EPOCHS} epochs")
    for epoch in range(done + 1, EPOCHS + 1):
        loss = train_epoch(weights, momentum, rng, images, labels)
        tell_progress(epoch)
        save(epoch, weights, momentum, rng)
        print(f"epoch {epoch:3d}/{EPOCHS}  loss {loss:.4f}", flush=True)
        if stopping.is_set() and epoch < EPOCHS:
            print(f"asked to stop: saved after epoch {epoch}", flush=True)
            sys.exit(128 + signal.SIGTERM)
    right = (forward(weights, test_images)[1].argmax(axis=1) == test_labels).mean()
    print(f"test accuracy {right:.4f}")
    print(f"weights sha256 {digest(weights)}")


if __name__ == "__main__":
    main()
