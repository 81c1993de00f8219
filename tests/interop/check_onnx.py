"""Every recipe's generator in onnxruntime makes Forger's samples, for any batch."""
import numpy
import onnx
import onnxruntime
from recipes import RUNS, forger, train

for name, flags in RUNS.items():
    inputs, expected = train(name, *flags)
    forger("export", name, "--format", "onnx", "--out", "model.onnx")
    onnx.checker.check_model(onnx.load("model.onnx"), full_check=True)
    session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
    assert [i.name for i in session.get_inputs()] == list(inputs), [i.name for i in session.get_inputs()]
    assert session.get_outputs()[0].name == ("images" if expected.ndim == 4 else "samples")
    if expected.ndim == 4:
        expected = expected.transpose(0, 3, 1, 2)
    assert numpy.ptp(expected) > 0.01 or name == "pattern1010"
    for batch in (1, 5):
        samples = session.run(None, {key: rows[:batch] for key, rows in inputs.items()})[0]
        assert samples.shape == expected[:batch].shape, (samples.shape, expected.shape)
        error = abs(samples - expected[:batch]).max()
        assert error < 1e-4, (name, batch, error)
    if "labels" in inputs:  # another class is another sample
        inputs["labels"] = numpy.roll(inputs["labels"], 1, axis=1)
        assert abs(session.run(None, inputs)[0] - expected).max() > 1e-3, name
    print(f"{name}: {expected.shape}, largest difference {error:.1e}")
