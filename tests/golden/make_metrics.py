"""Golden values of the evaluation's metrics: the published formulas in NumPy, SciPy and scikit-learn, on small arrays.

    python3 tests/golden/make_metrics.py

writes metrics.safetensors beside this file. Needs numpy, scipy, scikit-learn, prdc. See README.md here.

  frechet     numpy.cov and scipy.linalg.sqrtm, as pytorch-fid's calculate_frechet_distance
  kid         torch-fidelity's polynomial_mmd (degree 3, gamma 1/d, coef0 1, unbiased) with sklearn's polynomial_kernel
  prdc        the package prdc by the authors of density and coverage, nearest_k = 5
  w1, ks      scipy.stats.wasserstein_distance, ks_2samp and kstest
  score       exp of the mean of scipy.stats.entropy(p(y|x), p(y))
"""
import json
import pathlib
import struct

import numpy as np
import prdc
import scipy.linalg
import scipy.stats
from sklearn.metrics.pairwise import polynomial_kernel

HERE = pathlib.Path(__file__).resolve().parent


def write_safetensors(path, tensors):
    names = {"float64": "F64", "float32": "F32", "int64": "I64"}
    header, data = {}, b""
    for name, value in tensors.items():
        array = np.ascontiguousarray(value)
        blob = array.tobytes()
        header[name] = {"dtype": names[array.dtype.name], "shape": list(array.shape),
                        "data_offsets": [len(data), len(data) + len(blob)]}
        data += blob
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + data)
    print(f"{path.name}: {len(tensors)} tensors, {path.stat().st_size} bytes")


def frechet(a, b):
    covariance_a, covariance_b = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = scipy.linalg.sqrtm(covariance_a @ covariance_b)
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(covariance_a + covariance_b - 2 * root.real)


def polynomial_mmd(x, y):
    m = len(x)
    k_xx, k_yy, k_xy = (polynomial_kernel(u, v, degree=3, gamma=None, coef0=1) for u, v in ((x, x), (y, y), (x, y)))
    off_diagonal = k_xx.sum() - np.trace(k_xx) + k_yy.sum() - np.trace(k_yy)
    return off_diagonal / (m * (m - 1)) - 2 * k_xy.sum() / m**2


def main():
    rng = np.random.default_rng(0)
    mix = rng.normal(size=(9, 9)) / 3
    real = (rng.normal(size=(150, 9)) @ mix).astype(np.float32)
    fake = (rng.normal(size=(150, 9)) @ mix * 0.8 + rng.normal(size=9) * 0.4).astype(np.float32)
    fake[:20] = fake[20:40]  # repeats, some of them more than five times
    fake[:10] = fake[0]
    double = [x.astype(np.float64) for x in (real, fake)]
    neighbours = prdc.compute_prdc(*double, nearest_k=5)
    a, b = rng.normal(size=200), np.round(rng.normal(0.3, 1.4, size=170), 1)  # rounded: ties
    logits = rng.normal(size=(60, 10)) * 3
    probabilities = (np.exp(logits) / np.exp(logits).sum(1, keepdims=True)).astype(np.float32)
    p = probabilities.astype(np.float64)
    symmetric = rng.normal(size=(12, 12))
    symmetric = symmetric + symmetric.T
    one = lambda v: np.array([v], dtype=np.float64)
    write_safetensors(HERE / "metrics.safetensors", {
        "real": real, "fake": fake,
        "frechet": one(frechet(*double)), "kid": one(polynomial_mmd(*double)),
        **{key: one(value) for key, value in neighbours.items()},
        "line_a": a, "line_b": b,
        "w1": one(scipy.stats.wasserstein_distance(a, b)), "ks": one(scipy.stats.ks_2samp(a, b).statistic),
        "ks_normal": one(scipy.stats.kstest(a, "norm").statistic),
        "probabilities": probabilities,
        "score": one(np.exp(np.mean([scipy.stats.entropy(row, p.mean(0)) for row in p]))),
        "symmetric": symmetric, "eigenvalues": np.linalg.eigvalsh(symmetric),
        "psd": symmetric @ symmetric, "psd_sqrt": scipy.linalg.sqrtm(symmetric @ symmetric).real,
    })


main()
