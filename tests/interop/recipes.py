"""Runs to export, made by the forger that is named on the command line."""
import subprocess
import sys

FORGER = sys.argv[1]


def forger(*words):
    outcome = subprocess.run([FORGER, *map(str, words)], capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout


def train(name, recipe, *flags):
    """A run of a few steps, its samples from known noise: returns z [n, z-dim] and samples as Forger has them."""
    import numpy
    forger("train", recipe, "--steps", 3, "--batch", 4, "--g-lr", 0.01, "--out", name, *flags)
    forger("sample", name, "--count", 5, "--latents", "z.npy", "--out", "x.npy")
    return numpy.load("z.npy"), numpy.load("x.npy")


# Two sizes of images, two of noise, every kind of layer.
RUNS = {
    "dcgan": ["dcgan", "--data", "data28"],
    "dcgan-20": ["dcgan", "--data", "data20", "--image-size", 20, "--z-dim", 7],
    "dcgan-ema": ["dcgan", "--data", "data28", "--ema", 0.5],
    "mlp": ["mlp", "--data", "data28"],
    "gaussians4": ["gaussians4"],
    "pattern1010": ["pattern1010"],
}
