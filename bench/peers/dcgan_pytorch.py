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

On a GPU (--device cuda), --modes lists how the step runs, one line of JSON for each:
  eager          as it is written here;
  compile        G and D through torch.compile (PyTorch 2);
  graph          the whole step captured once and replayed as one CUDA graph;
  compile-graph  both.
There a step is timed as the mean of --inner steps that are queued one after another, cuDNN chooses its kernels by timing
(cudnn.benchmark, deterministic kernels only with --deterministic), Adam is the fused one, and transposed convolutions are
nn.ConvTranspose2d, which cuDNN computes as input gradients. cuDNN through PyTorch pads symmetrically only, so --pad is a
handicap that PyTorch's users have too: run both, and compare with the better.
--precision: fp32 (no TF32 in convolutions nor products), tf32 (both), bf16 (tf32, and autocast to bfloat16).

Where PyTorch, its torch.compile or a GPU is missing, the line says "skipped" and why, and the exit code is 0.
Example: python3 bench/peers/dcgan_pytorch.py --steps 20 --threads 2
         python3 bench/peers/dcgan_pytorch.py --device cuda --precision tf32 --modes eager,compile,graph,compile-graph
"""
import argparse
import contextlib
import json
import resource
import statistics
import sys
import time

MODES = ["eager", "compile", "graph", "compile-graph"]


def arguments():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("--batch", type=int, default=32)
    p.add_argument("--steps", type=int, default=20, help="timed samples")
    p.add_argument("--inner", type=int, default=0, help="steps in a sample; default: 1 on a CPU, 32 on a GPU")
    p.add_argument("--warmup", type=int, default=3, help="steps before the first timed one")
    p.add_argument("--threads", type=int, default=2)
    p.add_argument("--seed", type=int, default=0)
    p.add_argument("--fakes", choices=["predict", "shared"], default="predict")
    p.add_argument("--pad", choices=["copy", "crop"], default="copy")
    p.add_argument("--transposed", choices=["grad", "module"], help="default: grad on a CPU, module on a GPU")
    p.add_argument("--channels-last", action=argparse.BooleanOptionalAction, default=True)
    p.add_argument("--foreach", action=argparse.BooleanOptionalAction, default=True, help="on a CPU")
    p.add_argument("--device", default="cpu")
    p.add_argument("--precision", choices=["fp32", "tf32", "bf16"], default="fp32")
    p.add_argument("--modes", default="eager", help="several with commas; on a CPU only eager and compile")
    p.add_argument("--deterministic", action="store_true")
    a = p.parse_args()
    for mode in a.modes.split(","):
        if mode not in MODES:
            p.error(f"--modes: {mode} is not one of {', '.join(MODES)}")
    on_gpu = a.device.startswith("cuda")
    if a.precision == "tf32" and not on_gpu:
        p.error("--precision: tf32 is for a GPU")
    if "graph" in a.modes and not on_gpu:
        p.error("--modes: a graph is for a GPU")
    a.inner = a.inner or (32 if on_gpu else 1)
    a.transposed = a.transposed or ("module" if on_gpu else "grad")
    return a


def skip(why, **more):
    print(json.dumps({"framework": "pytorch", "skipped": why, **more}), flush=True)


args = arguments()
try:
    import torch
    import torch.nn.functional as F
    from torch import nn
except ImportError as error:
    skip(f"PyTorch is missing: {error}")
    sys.exit(0)
on_gpu = args.device.startswith("cuda")
if on_gpu and not torch.cuda.is_available():
    skip("PyTorch finds no GPU", version=torch.__version__)
    sys.exit(0)


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
        w = self.weight.to(x.dtype)  # autocast does not reach into the function
        y = TransposedConvolution.apply(x, w, self.stride[0], self.padding[0])
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


def autocast():
    """bf16 products with f32 weights; losses and statistics stay f32. Its cache of rounded weights ends with the context,
    so one context covers one forward pass, between two updates of the weights."""
    if args.precision != "bf16":
        return contextlib.nullcontext()
    return torch.autocast(torch.device(args.device).type, dtype=torch.bfloat16)


def set_precision():
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = args.precision != "fp32"  # both alike
    torch.backends.cudnn.benchmark = True
    torch.backends.cudnn.deterministic = args.deterministic


def make_adam(parameters, captured):
    options = dict(lr=2e-4, betas=(0.5, 0.999), eps=1e-7)
    if not on_gpu:
        return torch.optim.Adam(parameters, foreach=args.foreach, **options)
    fused = {"fused": True} if torch.__version__ >= "2" else {"foreach": True}
    return torch.optim.Adam(parameters, capturable=captured, **fused, **options)  # capturable: its step count is on the GPU


class Training:
    """The networks, their optimizers, and one step; no step reads anything back, so that steps queue up."""

    def __init__(self, compiled, captured):
        torch.manual_seed(args.seed)
        self.layout = torch.channels_last if args.channels_last else torch.contiguous_format
        self.G = Generator().to(args.device).to(memory_format=self.layout)
        self.D = Discriminator().to(args.device).to(memory_format=self.layout)
        self.adam_G, self.adam_D = make_adam(self.G.parameters(), captured), make_adam(self.D.parameters(), captured)
        self.data = torch.rand(1024, 1, 28, 28, device=args.device) * 2 - 1
        self.run_G, self.run_D = (torch.compile(self.G), torch.compile(self.D)) if compiled else (self.G, self.D)

    def generate(self):
        with autocast():
            return self.run_G(torch.randn(args.batch, 100, device=args.device))

    def loss(self, images, target, noisy):
        with autocast():
            logits = self.run_D(images)
        return bce(logits.float(), target, noisy)

    def d_step(self, images, target):
        loss = self.loss(images, target, noisy=True)
        self.adam_D.zero_grad(set_to_none=True)
        loss.backward()
        self.adam_D.step()

    def step(self):
        picks = torch.randint(len(self.data), (args.batch,), device=args.device)
        real = self.data[picks].contiguous(memory_format=self.layout)
        for p in self.D.parameters():
            p.requires_grad_(True)
        if args.fakes == "shared":
            fake = self.generate()
            d_fake = fake.detach()
        else:
            self.G.eval()
            with torch.no_grad():
                d_fake = self.generate()
            self.G.train()
        self.d_step(real, 1.0)
        self.d_step(d_fake, 0.0)
        for p in self.D.parameters():  # frozen: G's backward pass computes no gradient of D's filters
            p.requires_grad_(False)
        if args.fakes == "predict":
            fake = self.generate()
        loss = self.loss(fake, 1.0, noisy=False)
        self.adam_G.zero_grad(set_to_none=True)
        loss.backward()
        self.adam_G.step()
        return loss.detach()


def captured_step(training):
    """The step as one CUDA graph: replaying it repeats all of the step's kernels with new random numbers."""
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):  # a capture must not be the first to run anything
        for _ in range(max(args.warmup, 3)):
            training.step()
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        loss = training.step()

    def replay():
        graph.replay()
        return loss

    return replay


def measure(mode):
    compiled, captured = mode.startswith("compile"), mode.endswith("graph")
    if compiled and not hasattr(torch, "compile"):
        return skip("torch.compile needs PyTorch 2", version=torch.__version__, mode=mode)
    training = Training(compiled, captured)
    step = captured_step(training) if captured else training.step
    synchronize = torch.cuda.synchronize if on_gpu else lambda: None
    for _ in range(args.warmup):
        step()
    synchronize()
    times = []
    for _ in range(args.steps):
        start = time.perf_counter()
        for _ in range(args.inner):
            loss = step()
        synchronize()
        times.append((time.perf_counter() - start) * 1e3 / args.inner)
    result = {
        "framework": "pytorch", "version": torch.__version__, "device": args.device, "mode": mode,
        "precision": args.precision, "batch": args.batch, "threads": args.threads, "fakes": args.fakes, "pad": args.pad,
        "transposed": args.transposed, "channels_last": args.channels_last, "foreach": args.foreach, "steps": args.steps,
        "inner": args.inner, "median_ms": round(statistics.median(times), 4), "min_ms": round(min(times), 4),
        "peak_rss_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024, "g_loss": round(loss.item(), 4)}
    if on_gpu:
        result.update(gpu=torch.cuda.get_device_name(), cudnn=torch.backends.cudnn.version(),
                      deterministic=args.deterministic, peak_gpu_mb=torch.cuda.max_memory_allocated() >> 20)
        torch.cuda.reset_peak_memory_stats()
    print(json.dumps(result), flush=True)


def main():
    torch.set_num_threads(args.threads)
    set_precision()
    for mode in args.modes.split(","):
        measure(mode)


if __name__ == "__main__":
    main()
