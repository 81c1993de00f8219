"""Golden values: what PyTorch computes in float64 where Forger's tests compute the same (tests/golden_test.cpp).

    python3 tests/golden/make_golden.py

writes ops.safetensors and dcgan.safetensors beside this file. See README.md here.

PyTorch computes networks, losses and gradients (autograd), batch norm in its own layout (NCHW). This script adds
what PyTorch does not have: Keras's 'same' padding, Keras's Adam, and Forger's random numbers (Philox by the name of
a variable or the path of a node), so that both sides start from the same weights, noise, masks and batches.
"""
import json
import math
import pathlib
import struct

import numpy as np
import torch
import torch.nn.functional as F

HERE = pathlib.Path(__file__).resolve().parent
torch.set_default_dtype(torch.float64)


# --- safetensors: 8 bytes of length, a JSON header, the arrays ---------------------------------------------------

def write_safetensors(path, tensors, metadata):
    names = {"float64": "F64", "int64": "I64", "uint8": "U8"}
    header, data = {"__metadata__": metadata}, b""
    for name, value in tensors.items():
        array = np.asarray(value.detach() if isinstance(value, torch.Tensor) else value)
        blob = array.tobytes()  # row-major
        header[name] = {"dtype": names[array.dtype.name], "shape": list(array.shape),
                        "data_offsets": [len(data), len(data) + len(blob)]}
        data += blob
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    print(f"{path.name}: {len(tensors)} tensors, {path.stat().st_size} bytes")


# --- random numbers: Philox4x32-10, keyed by the seed, counted by (element, step, stream) -------------------------

def stream_of(name):
    """FNV-1a of the name, its upper 48 bits."""
    h = 0xCBF29CE484222325
    for byte in name.encode():
        h = (h ^ byte) * 0x100000001B3 % 2**64
    return h >> 16


def philox_words(seed, stream, step, n):
    """n random 32-bit words as uint64 [n]; word i is number i % 4 of block i / 4."""
    low = np.uint64(0xFFFFFFFF)
    blocks = np.arange((n + 3) // 4, dtype=np.uint64)
    c = [blocks] + [np.full_like(blocks, x) for x in
                    (step & 0xFFFFFFFF, (step >> 32 & 0xFFFF) | (stream >> 32) << 16, stream & 0xFFFFFFFF)]
    k = [seed & 0xFFFFFFFF, seed >> 32]
    for _ in range(10):
        a, b = np.uint64(0xD2511F53) * c[0], np.uint64(0xCD9E8D57) * c[2]
        c = [(b >> np.uint64(32)) ^ c[1] ^ np.uint64(k[0]), b & low,
             (a >> np.uint64(32)) ^ c[3] ^ np.uint64(k[1]), a & low]
        k = [(k[0] + 0x9E3779B9) % 2**32, (k[1] + 0xBB67AE85) % 2**32]
    return np.stack(c, axis=1).reshape(-1)[:n]


class Random:
    """Forger's random nodes at one step. Every path that was asked for is kept in `paths`."""

    def __init__(self, seed):
        self.seed, self.step, self.paths = seed, 0, set()

    def words(self, path, shape):
        self.paths.add(path)
        return philox_words(self.seed, stream_of(path), self.step, math.prod(shape))

    def normal(self, path, mean, stddev, shape):
        """Box-Muller: words 0 and 1 of a block give elements 0 and 1, words 2 and 3 the others."""
        n = math.prod(shape)
        w = self.words(path, [(n + 3) // 4 * 4]).reshape(-1, 2)
        radius = np.sqrt(-2 * np.log(((w[:, 0] >> np.uint64(8)) + np.uint64(1)) * 2.0**-24))
        angle = 2 * np.pi * ((w[:, 1] >> np.uint64(8)) * 2.0**-24)
        pairs = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1).reshape(-1)[:n]
        return torch.from_numpy(mean + stddev * pairs).reshape(shape)

    def uniform(self, path, shape):
        return torch.from_numpy((self.words(path, shape) >> np.uint64(8)) * 2.0**-24).reshape(shape)

    def rows(self, path, count, population):
        return torch.from_numpy((self.words(path, [count]) * np.uint64(population) >> np.uint64(32)).astype(np.int64))

    def dropout(self, path, x, rate):
        kept = self.uniform(path, x.shape) >= float(np.float32(rate))
        return x * kept / (1 - rate)


# --- layers in Forger's layouts: activations NHWC, filters KRSC ---------------------------------------------------

def nchw(x):
    return x.permute(0, 3, 1, 2)


def nhwc(x):
    return x.permute(0, 2, 3, 1)


def same_padding(size, window, stride):
    """Keras: (before, after) of the input of a 'same' convolution; the odd pixel goes after."""
    total = max((-(-size // stride) - 1) * stride + window - size, 0)
    return total // 2, total - total // 2


def conv2d(x, w, stride):
    (top, bottom), (left, right) = (same_padding(x.shape[i], w.shape[i], stride) for i in (1, 2))
    return nhwc(F.conv2d(F.pad(nchw(x), (left, right, top, bottom)), nchw(w), stride=stride))


def conv2d_transpose(x, w, stride):
    """[N,P,Q,K], [K,R,S,C] -> [N,P*stride,Q*stride,C]: cuts off what a 'same' convolution would have padded."""
    H, W = x.shape[1] * stride, x.shape[2] * stride
    top, left = same_padding(H, w.shape[1], stride)[0], same_padding(W, w.shape[2], stride)[0]
    return nhwc(F.conv_transpose2d(nchw(x), nchw(w), stride=stride)[:, :, top:top + H, left:left + W])


def channels_second(x):
    return x if x.dim() == 2 else nchw(x)


def channels_last(x):
    return x if x.dim() == 2 else nhwc(x)


class KerasAdam:
    """Adam as Keras 2 writes it: the bias correction is in the learning rate and epsilon is outside of the root."""

    def __init__(self, lr, beta1, beta2, epsilon):
        self.lr, self.beta1, self.beta2, self.epsilon = lr, beta1, beta2, epsilon
        self.t, self.m, self.v = 0, {}, {}

    def update(self, parameters, gradients):
        """Both by name. Returns the new parameters."""
        self.t += 1
        lr_t = self.lr * math.sqrt(1 - self.beta2**self.t) / (1 - self.beta1**self.t)
        new = {}
        for name, p in parameters.items():
            g, zeros = gradients[name], torch.zeros_like(p)
            self.m[name] = self.beta1 * self.m.get(name, zeros) + (1 - self.beta1) * g
            self.v[name] = self.beta2 * self.v.get(name, zeros) + (1 - self.beta2) * g * g
            new[name] = (p - lr_t * self.m[name] / (torch.sqrt(self.v[name]) + self.epsilon)).detach()
        return new


# --- single ops ---------------------------------------------------------------------------------------------------

def reals(*shape):
    return torch.randn(shape)


def with_gradients(prefix, inputs, function):
    """Runs function(*inputs), backpropagates a random dy and returns everything by name."""
    leaves = {name: value.clone().requires_grad_() for name, value in inputs.items()}
    y = function(*leaves.values())
    dy = reals(*y.shape)
    gradients = torch.autograd.grad(y, list(leaves.values()), dy)
    out = {f"{prefix}/{name}": value for name, value in inputs.items()}
    out |= {f"{prefix}/y": y.contiguous(), f"{prefix}/dy": dy}
    return out | {f"{prefix}/d{name}": g.contiguous() for name, g in zip(leaves, gradients)}


def convolutions():
    cases = [  # name, stride, x [N,H,W,C], w [K,R,S,C]; the padding (before/after) that each is here for
        ("k4s1", 1, (2, 5, 6, 3), (4, 4, 4, 3)),       # 1/2
        ("k3s2_even", 2, (2, 6, 8, 2), (3, 3, 3, 2)),  # 0/1
        ("k3s2_odd", 2, (2, 7, 5, 2), (3, 3, 3, 2)),   # 1/1
        ("k4s2", 2, (2, 7, 6, 3), (5, 4, 4, 3)),       # rows 1/2, columns 1/1
        ("k7s1", 1, (1, 5, 9, 2), (3, 7, 7, 2)),       # 3/3, wider than half of the image
        ("k4s1_1x1", 1, (3, 1, 1, 4), (2, 4, 4, 4)),   # mostly padding
    ]
    out = {}
    for name, stride, x, w in cases:
        out |= with_gradients(f"conv2d/{name}", {"x": reals(*x), "w": reals(*w)}, lambda a, b: conv2d(a, b, stride))
    for name, stride, x, w in [("k4s2", 2, (2, 3, 4, 5), (5, 4, 4, 3)), ("k3s2", 2, (2, 4, 3, 2), (2, 3, 3, 3))]:
        out |= with_gradients(f"conv2d_transpose/{name}", {"x": reals(*x), "w": reals(*w)},
                              lambda a, b: conv2d_transpose(a, b, stride))
    return out


def batch_norms(epsilon=1e-3, momentum=0.8):
    out = {}
    for name, shape in [("images", (2, 3, 4, 5)), ("rows", (6, 3))]:
        C = shape[-1]
        inputs = {"x": 2 * reals(*shape) + torch.arange(C), "gamma": 1 + 0.3 * reals(C), "beta": reals(C)}
        mean, var = reals(C), 0.5 + torch.rand(C)
        new_mean, new_var = mean.clone(), var.clone()
        F.batch_norm(channels_second(inputs["x"]), new_mean, new_var, training=True, momentum=1 - momentum, eps=epsilon)
        saved = torch.native_batch_norm(channels_second(inputs["x"]), None, None, None, None, True, 0, epsilon)[1:]
        for prefix, training in [("batch_norm_training", True), ("batch_norm_inference", False)]:
            prefix += "/" + name
            out |= with_gradients(prefix, inputs, lambda x, gamma, beta: channels_last(F.batch_norm(
                channels_second(x), mean.clone(), var.clone(), gamma, beta, training, 1 - momentum, epsilon)))
            out |= {f"{prefix}/running_mean": mean, f"{prefix}/running_var": var}
        prefix = f"batch_norm_training/{name}"
        out |= {f"{prefix}/mean": saved[0], f"{prefix}/inv_std": saved[1],
                f"{prefix}/new_running_mean": new_mean, f"{prefix}/new_running_var": new_var}
    return out


def bce():
    logits = torch.cat([3 * reals(9, 1), torch.tensor([[40.0], [-40.0], [0.0]])]).requires_grad_()
    targets = torch.cat([1 + 0.1 * reals(6, 1), 0.1 * reals(6, 1)])  # noisy labels leave [0, 1]
    loss = F.binary_cross_entropy_with_logits(logits, targets)
    return {"bce/logits": logits, "bce/targets": targets, "bce/loss": loss,
            "bce/dlogits": torch.autograd.grad(loss, logits)[0]}


def adam():
    """Three updates of two tensors; some gradients are as small as epsilon, where its place decides."""
    optimizer, out = KerasAdam(2e-4, 0.5, 0.999, 1e-7), {}
    parameters = {"a": reals(5), "b": reals(2, 3)}
    out |= {f"adam/{name}": p for name, p in parameters.items()}
    for step in range(1, 4):
        gradients = {"a": reals(5) * 10.0 ** torch.tensor([0.0, -3, -6, -7, -9]), "b": 0.01 * reals(2, 3)}
        parameters = optimizer.update(parameters, gradients)
        for name, p in parameters.items():
            out |= {f"adam/{name}/g{step}": gradients[name], f"adam/{name}/p{step}": p,
                    f"adam/{name}/m{step}": optimizer.m[name], f"adam/{name}/v{step}": optimizer.v[name]}
    return out


# --- the recipe dcgan ---------------------------------------------------------------------------------------------

class Net:
    """A network's variables by name, in Forger's names and layouts, with Forger's initial values.

    Kernels start as the recipe says (Glorot uniform). Vectors, which the recipe starts at 0 or 1, start around there:
    biases that are all zero would hide mistakes.
    """

    def __init__(self, name, seed):
        self.name, self.seed, self.values = name, seed, {}
        self.parameters = []
        self.adam = KerasAdam(2e-4, 0.5, 0.999, 1e-7)

    def uniform(self, name, shape):
        words = philox_words(self.seed, stream_of(name), 0, math.prod(shape))
        return torch.from_numpy((words >> np.uint64(8)) * 2.0**-24).reshape(shape)

    def kernel(self, name, shape, fan_in, fan_out):
        if name not in self.values:
            limit = math.sqrt(6 / (fan_in + fan_out))
            self.values[name] = -limit + 2 * limit * self.uniform(f"{self.name}/{name}", shape)
            self.parameters.append(name)
        return self.values[name]

    def vector(self, name, size, base, trainable=True):
        if name not in self.values:
            self.values[name] = base + 0.2 * (self.uniform(f"golden/{self.name}/{name}", [size]) - 0.5)
            if trainable:
                self.parameters.append(name)
        return self.values[name]

    def minimize(self, loss, leaves):
        """leaves: the tensors that the loss was computed from, by name."""
        names = [n for n in self.parameters if n in leaves]
        gradients = dict(zip(names, torch.autograd.grad(loss, [leaves[n] for n in names])))
        self.values |= self.adam.update({n: self.values[n] for n in names}, gradients)


class Pass:
    """One forward pass: layers like those of models/layers.h. `leaves` are the parameters that it differentiates."""

    def __init__(self, net, x, path, random, training=True, track=True):
        self.net, self.x, self.path, self.random, self.training, self.track = net, x, path, random, training, track
        self.counts, self.leaves = {}, {}

    def next(self, kind):
        self.counts[kind] = self.counts.get(kind, 0) + 1
        return f"{kind}_{self.counts[kind]}"

    def leaf(self, name, value):
        self.leaves[name] = value.clone().requires_grad_()
        return self.leaves[name]

    def dense(self, units):
        name, fan_in = self.next("dense"), self.x.shape[1]
        w = self.leaf(name + "/kernel", self.net.kernel(name + "/kernel", (fan_in, units), fan_in, units))
        self.x = self.x @ w + self.leaf(name + "/bias", self.net.vector(name + "/bias", units, 0))
        return self

    def conv(self, filters, k, stride=1, transposed=False):
        name, C = self.next("conv2d_transpose" if transposed else "conv2d"), self.x.shape[3]
        shape = (C, k, k, filters) if transposed else (filters, k, k, C)
        w = self.leaf(name + "/kernel", self.net.kernel(name + "/kernel", shape, k * k * C, k * k * filters))
        b = self.leaf(name + "/bias", self.net.vector(name + "/bias", filters, 0))
        self.x = (conv2d_transpose if transposed else conv2d)(self.x, w, stride) + b
        return self

    def batch_norm(self, momentum=0.8, epsilon=1e-3):
        name, C = self.next("batch_normalization"), self.x.shape[-1]
        gamma = self.leaf(name + "/gamma", self.net.vector(name + "/gamma", C, 1))
        beta = self.leaf(name + "/beta", self.net.vector(name + "/beta", C, 0))
        mean = self.net.vector(name + "/running_mean", C, 0, trainable=False).clone()
        var = self.net.vector(name + "/running_var", C, 1, trainable=False).clone()
        self.x = nhwc(F.batch_norm(nchw(self.x), mean, var, gamma, beta, self.training, 1 - momentum, epsilon))
        if self.training and self.track:
            self.net.values |= {name + "/running_mean": mean, name + "/running_var": var}
        return self

    def apply(self, function, *args):
        self.x = function(self.x, *args)
        return self

    def dropout(self, rate):
        name = self.next("dropout")
        if self.training:
            self.x = self.random.dropout(f"{self.path}/{name}/dropout", self.x, rate)
        return self


def generator(g, z, side, path, random, training):
    s = side // 4
    p = Pass(g, z, path, random, training)
    p.dense(128 * s * s).apply(torch.reshape, (-1, s, s, 128))
    p.conv(128, 4, 2, transposed=True).conv(128, 4).batch_norm().apply(torch.relu)
    p.conv(128, 4, 2, transposed=True).conv(64, 4).batch_norm().apply(torch.relu)
    return p.conv(1, 7).apply(torch.tanh)


def discriminator(d, images, path, random, track=True):
    p = Pass(d, images, path, random, training=True, track=track)
    p.conv(32, 3, 2).apply(F.leaky_relu, 0.2).dropout(0.2)
    p.conv(64, 4, 2).batch_norm().apply(F.leaky_relu, 0.2).dropout(0.2)
    p.conv(128, 4, 2).batch_norm().apply(F.leaky_relu, 0.3).dropout(0.2)
    p.conv(256, 4, 1).batch_norm().apply(F.leaky_relu, 0.3).dropout(0.2)
    return p.apply(torch.flatten, 1).dense(1)


def train_step(g, d, table, random, batch, z_dim, shared):
    """models/gan_step.cpp. Returns d_loss, d_accuracy, g_loss, d_real, d_fake."""
    side, bce_loss = table.shape[1], F.binary_cross_entropy_with_logits
    z = random.normal("z_0/random_normal", 0.0, 1.0, (batch, z_dim))
    fakes = generator(g, z, side, "G_train" if shared else "G_predict_0", random, training=shared)
    real = table[random.rows("real_0/random_indices", batch, len(table))].double() / 127.5 - 1
    ones = random.normal("labels_real_0/random_normal", 1.0, 0.05, (batch, 1))
    zeros = random.normal("labels_fake_0/random_normal", 0.0, 0.05, (batch, 1))
    on_real = discriminator(d, real, "D_real_0", random)
    real_loss = bce_loss(on_real.x, ones)
    d.minimize(real_loss, on_real.leaves)
    on_fake = discriminator(d, fakes.x.detach(), "D_fake_0", random)
    fake_loss = bce_loss(on_fake.x, zeros)
    d.minimize(fake_loss, on_fake.leaves)
    if not shared:
        fakes = generator(g, z, side, "G_train", random, training=True)
    frozen = discriminator(d, fakes.x, "D_frozen", random, track=False)
    g_loss = bce_loss(frozen.x, torch.ones_like(frozen.x))
    g.minimize(g_loss, fakes.leaves)
    accuracy = ((on_real.x > 0).double().mean() + (on_fake.x <= 0).double().mean()) / 2
    random.step += 1
    return [float(v) for v in ((real_loss + fake_loss) / 2, accuracy, g_loss, torch.sigmoid(on_real.x).mean(),
                               torch.sigmoid(on_fake.x).mean())]


def projections(value):
    """A tensor in 11 numbers: sum, sum of squares, product with -5..5 in a fixed order, the first eight elements."""
    flat = torch.as_tensor(value, dtype=torch.float64).reshape(-1)
    pattern = (torch.arange(flat.numel()) * 7 % 11 - 5).double()
    sums = torch.stack([flat.sum(), (flat * flat).sum(), (flat * pattern).sum()])
    return torch.cat([sums, flat[:8], torch.zeros(max(0, 8 - len(flat)))])


def dcgan(seed=8, steps=2, batch=4, z_dim=5, images=16, side=12):
    # Seed 8 keeps what enters D's and G's (leaky) ReLUs in training at least 4e-6 away from 0: a float32 that rounds
    # to the other side would change gradients by percents. Side 12 has the parities of 28: D sees 12, 6, 3, 2, 2.
    table = torch.from_numpy((philox_words(seed, stream_of("golden/images"), 0, images * side * side) >> np.uint64(24))
                             .astype(np.uint8)).reshape(images, side, side, 1)
    out = {"images": table, "seed": np.array(seed, dtype=np.int64)}
    for mode in ("predict", "shared"):
        g, d, random = Net("G", seed), Net("D", seed), Random(seed)
        losses, rows = [], []
        for _ in range(steps):
            losses.append(train_step(g, d, table, random, batch, z_dim, mode == "shared"))
            state = {}
            for net in (g, d):
                state |= {f"{net.name}/{n}": v for n, v in net.values.items()}
                state |= {f"{net.name}/adam/m/{n}": v for n, v in net.adam.m.items()}
                state |= {f"{net.name}/adam/v/{n}": v for n, v in net.adam.v.items()}
                state[f"{net.name}/adam/learning_rate"] = net.adam.lr
            rows.append(torch.stack([projections(state[n]) for n in sorted(state)]))
        print(mode, *(" ".join(f"{x:.6f}" for x in row) for row in losses), sep="\n  ")
        out |= {f"{mode}/losses": torch.tensor(losses), f"{mode}/projections": torch.stack(rows)}
    return out, {"variables": "\n".join(sorted(state)), "random nodes": "\n".join(sorted(random.paths)),
                 "columns": "d_loss d_accuracy g_loss d_real d_fake", "batch": str(batch), "z-dim": str(z_dim)}


if __name__ == "__main__":
    torch.manual_seed(0)
    made_by = {"made by": f"tests/golden/make_golden.py, PyTorch {torch.__version__}, NumPy {np.__version__}, float64"}
    write_safetensors(HERE / "ops.safetensors", convolutions() | batch_norms() | bce() | adam(), made_by)
    tensors, metadata = dcgan()
    write_safetensors(HERE / "dcgan.safetensors", tensors, made_by | metadata)
