"""docs/interop/load_in_pytorch.py makes Forger's images, and weights come back from PyTorch unchanged."""
import os
import subprocess
import sys

import numpy
import torch
from recipes import RUNS, forger, train
from safetensors.torch import save_file

LOADER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../docs/interop/load_in_pytorch.py")
sys.path.insert(0, os.path.dirname(LOADER))
from load_in_pytorch import load_generator

for name in ("dcgan", "dcgan-ema", "dcgan-20"):
    inputs, expected = train(name, *RUNS[name])
    forger("export", name, "--format", "safetensors", "--out", "weights.safetensors")
    generator = load_generator("weights.safetensors")
    with torch.no_grad():
        images = generator(torch.from_numpy(inputs["z"])).numpy().transpose(0, 2, 3, 1)
    error = abs(images - expected).max()
    assert images.shape == expected.shape and error < 1e-4, (name, images.shape, error)
    print(f"{name}: images in PyTorch, largest difference {error:.1e}")

    # PyTorch's own state_dict, of G alone and without Forger's metadata, makes a run again.
    state = {"G." + key: value.float() for key, value in generator.state_dict().items() if value.dim() > 0}
    save_file(state, "back.safetensors")
    flags = [f for f in RUNS[name][1:]]
    forger("import", "back.safetensors", "--recipe", "dcgan", "--out", name + "-back", *flags)
    forger("sample", name + "-back", "--count", 5, "--out", "back.npy")
    assert (numpy.load("back.npy") == expected).all(), name
    print(f"{name}: back again, samples equal")

# The loader as its first lines say to run it.
subprocess.run([sys.executable, LOADER, "weights.safetensors"], check=True)
samples = numpy.load("samples.npy")
assert samples.shape == (16, 1, 20, 20) and numpy.isfinite(samples).all() and abs(samples).max() <= 1, samples.shape
