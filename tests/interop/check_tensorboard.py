"""TensorBoard reads a run's events: every scalar of metrics.jsonl, every picture."""
import glob
import json

import numpy
from recipes import forger
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

forger("train", "gaussians4", "--steps", 40, "--batch", 8, "--log-every", 5, "--sample-every", 10, "--out", "r")
events = EventAccumulator("r", size_guidance={"images": 0, "scalars": 0})
events.Reload()
lines = [json.loads(line) for line in open("r/metrics.jsonl")]
assert set(events.Tags()["scalars"]) >= {"d_loss", "g_loss", "d_accuracy", "d_real", "d_fake", "diversity", "coverage"}
for tag in events.Tags()["scalars"]:
    expected = [(line["step"], line[tag]) for line in lines if tag in line]
    found = [(event.step, event.value) for event in events.Scalars(tag)]
    assert [s for s, _ in found] == [s for s, _ in expected], tag
    assert numpy.allclose([v for _, v in found], [v for _, v in expected], rtol=1e-6), tag
images = events.Images("samples")
assert [image.step for image in images] == [0, 10, 20, 30, 40]
for image in images:
    assert image.encoded_image_string == open(f"r/fakes-{image.step:08}.png", "rb").read()
    assert image.width > 0 and image.height > 0
assert len(events.Images("reals")) == 1
assert all(event.wall_time == event.step for event in events.Scalars("d_loss"))
print(f"{len(events.Tags()['scalars'])} scalars, {len(images)} pictures, {len(glob.glob('r/events*'))} file")
