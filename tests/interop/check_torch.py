"""docs/interop/load_in_pytorch.py makes Forger's images, and weights come back from PyTorch unchanged."""
import json
import os
import struct
import sys

import numpy
import torch
from recipes import RUNS, forger, train

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../docs/interop"))
try:
    import safetensors.torch  # noqa: F401
except ImportError:  # Debian's PyTorch comes without: a reader and a writer of the format in a few lines
    import types

    def load_file(path):
        raw = open(path, "rb").read()
        size = struct.unpack("<Q", raw[:8])[0]
        header, data = json.loads(raw[8:8 + size]), raw[8 + size:]
        header.pop("__metadata__", None)
        return {name: torch.from_numpy(numpy.frombuffer(data[slice(*t["data_offsets"])], "<f4").reshape(t["shape"]).copy())
                for name, t in header.items()}

    def save_file(tensors, path):
        header, data = {}, b""
        for name, tensor in tensors.items():
            raw = tensor.detach().contiguous().numpy().tobytes()
            header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [len(data), len(data) + len(raw)]}
            data += raw
        text = json.dumps(header).encode()
        open(path, "wb").write(struct.pack("<Q", len(text)) + text + data)

    sys.modules["safetensors"] = types.ModuleType("safetensors")
    sys.modules["safetensors.torch"] = types.ModuleType("safetensors.torch")
    sys.modules["safetensors.torch"].load_file, sys.modules["safetensors.torch"].save_file = load_file, save_file

from load_in_pytorch import load_generator
from safetensors.torch import load_file, save_file

for name in ("dcgan", "dcgan-20"):
    z, expected = train(name, *RUNS[name])
    forger("export", name, "--format", "safetensors", "--out", "weights.safetensors")
    generator = load_generator("weights.safetensors")
    with torch.no_grad():
        images = generator(torch.from_numpy(z)).numpy().transpose(0, 2, 3, 1)
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
