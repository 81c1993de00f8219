#!/usr/bin/env python3
"""One training step of the MNIST DCGAN in PyTorch: the peer that Forger's own step is measured against.

A step is what the Keras original does: D on a real batch and its Adam update, D on a fake batch and its Adam update,
then G through the frozen D. Written as a careful PyTorch user would:

* channels-last memory, so that oneDNN needs no layout conversions (--no-channels-last measures the default layout);
* 'same' padding as in Keras. Where it is asymmetric PyTorch must pad by hand: --pad copy makes a zero-padded copy
  (what padding='same' does inside); --pad crop pads symmetrically by the larger side and drops the first row and column;
* PyTorch 1.x has no fast transposed convolution on a CPU (im2col and the system's BLAS); a transposed convolution is the input
  gradient of a convolution, and --transposed grad asks oneDNN for just that. --transposed module is nn.ConvTranspose2d;
* Adam's foreach implementation, gradients set to None, D's parameters frozen in G's step, losses on logits, and no
  autograd graph for the fakes of D's step;
* --fakes predict: D's fakes come from a forward pass of G of their own, in inference mode, as Keras's predict() does;
  --fakes shared: D's fakes are those of G's step, so that G runs forward once.

Prints one line of JSON. Example: python3 bench/peers/dcgan_pytorch.py --steps 20 --threads 2
"""
import argparse
import json
import resource
import statistics
import time


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--steps", type=int, default=20, help="timed steps")
    p.add_argument("--warmup", type=int, default=3, help="steps before the first timed one")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--fakes", choices=["predict", "shared"], default="predict")
    p.add_argument("--pad", choices=["copy", "crop"], default="copy")
    p.add_argument("--transposed", choices=["grad", "module"], default="grad")
    p.add_argument("--channels-last", action=argparse.BooleanOptionalAction, default=True)
    p.add_argument("--foreach", action=argparse.BooleanOptionalAction, default=True)
    p.add_argument("--device", default="cpu")
    return p.parse_args()


args = arguments()
import torch  # noqa: E402  (after the parser: --help needs no PyTorch)
import torch.nn.functional as F  # noqa: E402
from torch import nn  # noqa: E402


class Conv(nn.Conv2d):
    """A convolution with explicit zeros before and after, for both axes alike."""

    def __init__(self, c_in, c_out, window, stride=1, before=0, after=0):
        self.slack = 0
        if before == after:
            padding = before
        elif args.pad == "copy":
            padding = 0
        else:  # crop: the surplus of one row and column of zeros is computed, then dropped
            assert stride == 1 and after == before + 1
            padding, self.slack = after, 1
        super().__init__(c_in, c_out, window, stride, padding)
        self.zeros = None if before == after or self.slack else (before, after, before, after)

    def forward(self, x):
        if self.zeros:
            x = F.pad(x, self.zeros)
        x = super().forward(x)
        return x[:, :, self.slack:, self.slack:] if self.slack else x


class TransposedConvolution(torch.autograd.Function):
    """x -> input gradient of the convolution (w, stride, padding) at output gradient x."""

    @staticmethod
    def forward(ctx, x, w, stride, padding):  # x: N K P Q, w: K C R S; result: N C H W
        ctx.save_for_backward(x, w)
        ctx.geometry = ([stride] * 2, [padding] * 2)
        size = [(n - 1) * stride - 2 * padding + r for n, r in zip(x.shape[2:], w.shape[2:])]
        like = x.new_empty(1).expand(x.shape[0], w.shape[1], *size)  # only its shape is read
        return TransposedConvolution.gradient(ctx, x, like, w, [True, False, False])[0]

    @staticmethod
    def backward(ctx, dy):
        x, w = ctx.saved_tensors
        dx = F.conv2d(dy, w, None, *ctx.geometry) if ctx.needs_input_grad[0] else None
        dw = TransposedConvolution.gradient(ctx, x, dy, w, [False, True, False])[1]
        return dx, dw, None, None

    @staticmethod
    def gradient(ctx, grad_output, x, w, mask):
        stride, padding = ctx.geometry
        return torch.ops.aten.convolution_backward(grad_output, x, w, None, stride, padding, [1, 1], False, [0, 0], 1, mask)


class ConvTranspose(nn.ConvTranspose2d):
    def forward(self, x):
        if args.transposed == "module":
            return super().forward(x)
        y = TransposedConvolution.apply(x, self.weight, self.stride[0], self.padding[0])
        return y + self.bias.view(1, -1, 1, 1)


def batch_norm(channels):
    return nn.BatchNorm2d(channels, eps=1e-3, momentum=0.2)  # Keras's momentum 0.8


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(100, 7 * 7 * 128)
        self.layers = nn.Sequential(
            ConvTranspose(128, 128, 4, 2, 1),                                                      # 14 x 14 x 128
            Conv(128, 128, 4, 1, 1, 2), batch_norm(128), nn.ReLU(inplace=True),
            ConvTranspose(128, 128, 4, 2, 1),                                                      # 28 x 28 x 128
            Conv(128, 64, 4, 1, 1, 2), batch_norm(64), nn.ReLU(inplace=True),
            Conv(64, 1, 7, 1, 3, 3), nn.Tanh())                                                    # 28 x 28 x 1

    def forward(self, z):
        x = self.dense(z)
        if args.channels_last:  # the dense layer writes NHWC; the view below costs nothing
            return self.layers(x.view(-1, 7, 7, 128).permute(0, 3, 1, 2))
        return self.layers(x.view(-1, 128, 7, 7))


class Discriminator(nn.Module):
    def __init__(self):
        super().__init__()
        # A strided asymmetric convolution cannot be cropped out of a symmetric one without waste: always copied.
        self.pad1, self.pad3 = nn.ZeroPad2d((0, 1, 0, 1)), nn.ZeroPad2d((1, 2, 1, 2))
        self.layers = nn.Sequential(
            self.pad1, nn.Conv2d(1, 32, 3, 2), nn.LeakyReLU(0.2, inplace=True), nn.Dropout(0.2),   # 14 x 14 x 32
            Conv(32, 64, 4, 2, 1, 1), batch_norm(64), nn.LeakyReLU(0.2, inplace=True), nn.Dropout(0.2),
            self.pad3, nn.Conv2d(64, 128, 4, 2), batch_norm(128), nn.LeakyReLU(0.3, inplace=True), nn.Dropout(0.2),
            Conv(128, 256, 4, 1, 1, 2), batch_norm(256), nn.LeakyReLU(0.3, inplace=True), nn.Dropout(0.2))
        self.head = nn.Linear(4 * 4 * 256, 1)

    def forward(self, x):
        x = self.layers(x)
        if args.channels_last:
            x = x.permute(0, 2, 3, 1)  # already NHWC in memory, so flattening it is a view
        return self.head(x.reshape(x.shape[0], -1))


def bce(logits, target, noisy):
    labels = torch.full_like(logits, target)
    return F.binary_cross_entropy_with_logits(logits, labels + 0.05 * torch.randn_like(labels) if noisy else labels)


def main():
    torch.manual_seed(args.seed)
    torch.set_num_threads(args.threads)
    device, layout = args.device, torch.channels_last if args.channels_last else torch.contiguous_format
    G = Generator().to(device).to(memory_format=layout)
    D = Discriminator().to(device).to(memory_format=layout)
    adam = dict(lr=2e-4, betas=(0.5, 0.999), eps=1e-7, foreach=args.foreach)
    adam_G, adam_D = torch.optim.Adam(G.parameters(), **adam), torch.optim.Adam(D.parameters(), **adam)
    data = torch.rand(1024, 1, 28, 28, device=device) * 2 - 1

    def noise():
        return torch.randn(args.batch, 100, device=device)

    def d_step(images, target):
        loss = bce(D(images), target, noisy=True)
        adam_D.zero_grad(set_to_none=True)
        loss.backward()
        adam_D.step()

    def step():
        real = data[torch.randint(len(data), (args.batch,), device=device)].contiguous(memory_format=layout)
        for p in D.parameters():
            p.requires_grad_(True)
        if args.fakes == "shared":
            fake = G(noise())
            d_fake = fake.detach()
        else:
            G.eval()
            with torch.no_grad():
                d_fake = G(noise())
            G.train()
        d_step(real, 1.0)
        d_step(d_fake, 0.0)
        for p in D.parameters():  # frozen: G's backward pass computes no gradient of D's filters
            p.requires_grad_(False)
        if args.fakes == "predict":
            fake = G(noise())
        loss = bce(D(fake), 1.0, noisy=False)
        adam_G.zero_grad(set_to_none=True)
        loss.backward()
        adam_G.step()
        if device != "cpu":
            torch.cuda.synchronize()
        return loss.item()

    for _ in range(args.warmup):
        step()
    times = []
    for _ in range(args.steps):
        start = time.perf_counter()
        loss = step()
        times.append((time.perf_counter() - start) * 1e3)
    print(json.dumps({
        "framework": "pytorch", "version": torch.__version__, "device": device, "batch": args.batch,
        "threads": args.threads, "fakes": args.fakes, "pad": args.pad, "transposed": args.transposed, "channels_last": args.channels_last,
        "foreach": args.foreach, "steps": args.steps, "median_ms": round(statistics.median(times), 2),
        "min_ms": round(min(times), 2), "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
        "g_loss": round(loss, 4)}))


if __name__ == "__main__":
    main()
