"""The DCGAN's generator in PyTorch, with weights from `forger export RUN --format safetensors`.

    python3 load_in_pytorch.py weights.safetensors     # writes samples.npy, [16, 1, 28, 28] in [-1, 1]
"""
import sys
import torch
from torch import nn


class Generator(nn.Module):
    def __init__(self, z_dim=100, side=28, channels=1):
        super().__init__()
        self.side = side // 4
        self.dense_1 = nn.Linear(z_dim, 128 * self.side**2)
        self.conv2d_transpose_1 = nn.ConvTranspose2d(128, 128, 4, stride=2, padding=1)
        self.conv2d_1 = nn.Conv2d(128, 128, 4, padding="same")  # the odd zero comes after, as in Keras
        self.batch_normalization_1 = nn.BatchNorm2d(128, eps=1e-3)
        self.conv2d_transpose_2 = nn.ConvTranspose2d(128, 128, 4, stride=2, padding=1)
        self.conv2d_2 = nn.Conv2d(128, 64, 4, padding="same")
        self.batch_normalization_2 = nn.BatchNorm2d(64, eps=1e-3)
        self.conv2d_3 = nn.Conv2d(64, channels, 7, padding="same")

    def forward(self, z):
        x = self.dense_1(z).view(-1, self.side, self.side, 128).permute(0, 3, 1, 2)  # Forger's images are NHWC
        x = torch.relu(self.batch_normalization_1(self.conv2d_1(self.conv2d_transpose_1(x))))
        x = torch.relu(self.batch_normalization_2(self.conv2d_2(self.conv2d_transpose_2(x))))
        return torch.tanh(self.conv2d_3(x))


def load_generator(path):
    from safetensors.torch import load_file
    tensors = load_file(path)
    prefix = "G_ema." if "G_ema.dense_1.weight" in tensors else "G."  # with --ema, samples are those of the average
    weights = {name[len(prefix):]: tensor for name, tensor in tensors.items() if name.startswith(prefix)}
    generator = Generator(z_dim=weights["dense_1.weight"].shape[1], channels=weights["conv2d_3.weight"].shape[0],
                          side=4 * int((weights["dense_1.weight"].shape[0] / 128) ** 0.5))
    missing, unexpected = generator.load_state_dict(weights, strict=False)
    assert not unexpected and all(name.endswith("num_batches_tracked") for name in missing), (missing, unexpected)
    return generator.eval()


if __name__ == "__main__":
    import numpy
    generator = load_generator(sys.argv[1])
    with torch.no_grad():
        numpy.save("samples.npy", generator(torch.randn(16, generator.dense_1.in_features)).numpy())
