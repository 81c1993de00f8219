"""TensorBoard's server shows a run's events: every scalar of metrics.jsonl, every picture."""
import json
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import numpy
from recipes import forger

# TensorBoard finds a free port itself and says which.
forger("train", "gaussians4", "--steps", 40, "--batch", 8, "--log-every", 5, "--sample-every", 10, "--out", "runs/r")
server = subprocess.Popen([sys.executable, "-m", "tensorboard.main", "--logdir", "runs", "--host", "127.0.0.1", "--port", "0",
                           "--load_fast", "false", "--samples_per_plugin", "images=100"],
                          stderr=subprocess.PIPE, text=True)
try:
    said = []
    for line in server.stderr:
        said.append(line)
        if "http://" in line:
            break
    assert "http://" in said[-1], "".join(said)
    address = next(word for word in said[-1].split() if word.startswith("http://")).rstrip("/")

    def get(path, **query):
        with urllib.request.urlopen(f"{address}/{path}?{urllib.parse.urlencode(query)}") as answer:
            return answer.read()

    def get_json(path, **query):
        return json.loads(get(path, **query))

    assert b"<title>TensorBoard</title>" in get("")
    for _ in range(200):  # it reads the files after it has begun to serve
        tags = get_json("data/plugin/scalars/tags").get("r")
        if tags and "r" in get_json("data/plugin/images/tags"):
            break
        time.sleep(0.1)
    lines = [json.loads(line) for line in open("runs/r/metrics.jsonl")]
    assert set(tags) >= {"d_loss", "g_loss", "d_accuracy", "d_real", "d_fake", "diversity", "coverage", "g_gradient"}, tags
    for tag in tags:
        expected = [(line["step"], line[tag]) for line in lines if tag in line]
        found = [(step, value) for _, step, value in get_json("data/plugin/scalars/scalars", tag=tag, run="r")]
        assert [s for s, _ in found] == [s for s, _ in expected], tag
        assert numpy.allclose([v for _, v in found], [v for _, v in expected], rtol=1e-6), tag
    images = get_json("data/plugin/images/images", tag="samples", run="r", sample=0)
    assert [image["step"] for image in images] == [0, 10, 20, 30, 40], images
    for image in images:
        png = get("data/plugin/images/individualImage?" + image["query"])
        assert png == open(f"runs/r/fakes-{image['step']:08}.png", "rb").read(), image
    assert len(get_json("data/plugin/images/images", tag="reals", run="r", sample=0)) == 1
    assert all(time == step for time, step, _ in get_json("data/plugin/scalars/scalars", tag="d_loss", run="r"))
    print(f"{len(tags)} scalars, {len(images)} pictures at {address}")
finally:
    server.kill()
