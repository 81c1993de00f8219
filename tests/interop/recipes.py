"""Runs to export, made by the forger that is named on the command line."""
import json
import subprocess
import sys

FORGER = sys.argv[1]


def forger(*words):
    outcome = subprocess.run([FORGER, *map(str, words)], capture_output=True, text=True)
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout


def train(name, recipe, *flags):
    """A run of a few steps, its samples from known noise: returns {"z": [n, z-dim], and of a conditional one "labels":
    [n, classes]}, and samples as Forger has them."""
    import numpy
    forger("train", recipe, "--steps", 3, "--batch", 4, "--g-lr", 0.01, "--threads", 1, "--out", name, *flags)
    forger("sample", name, "--count", 5, "--latents", "z.npy", "--out", "x.npy")
    inputs, config = {"z": numpy.load("z.npy")}, json.load(open(f"{name}/config.json"))
    if config["conditional"] != "none":  # forger sample takes the classes in turn
        inputs["labels"] = numpy.eye(config["classes"], dtype="f4")[numpy.arange(5) % config["classes"]]
    return inputs, numpy.load("x.npy")


# Every network, two sizes of images, grey and colour, with classes and without, G and the average of its weights.
RUNS = {
    "dcgan": ["dcgan", "--data", "data28"],
    "dcgan-20": ["dcgan", "--data", "data20", "--image-size", 20, "--z-dim", 7],
    "dcgan-ema": ["dcgan", "--data", "data28", "--ema", 0.5],
    "dcgan-classes": ["dcgan", "--data", "data28", "--conditional", "projection"],
    "mlp": ["mlp", "--data", "data28"],
    "mlp-classes": ["mlp", "--data", "data28", "--conditional", "concat", "--classes", 3],
    "stacked-mnist": ["stacked-mnist", "--data", "data28"],
    "began": ["began", "--data", "data28"],
    "gaussians4": ["gaussians4"],
    "gaussians4-classes": ["gaussians4", "--conditional", "concat"],
    "ring8-pacgan": ["ring8-pacgan"],
    "normal1d": ["normal1d"],
    "pattern1010": ["pattern1010"],
}
