"""Every recipe's generator in onnxruntime makes Forger's samples, for any batch."""
import numpy
import onnx
import onnxruntime
from recipes import RUNS, forger, train

for name, flags in RUNS.items():
    z, expected = train(name, *flags)
    forger("export", name, "--format", "onnx", "--out", "model.onnx")
    onnx.checker.check_model(onnx.load("model.onnx"), full_check=True)
    session = onnxruntime.InferenceSession("model.onnx", providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].name == "z", session.get_inputs()
    assert session.get_outputs()[0].name == ("images" if expected.ndim == 4 else "samples")
    if expected.ndim == 4:
        expected = expected.transpose(0, 3, 1, 2)
    assert numpy.ptp(expected) > 0.01 or name == "pattern1010"
    for batch in (1, 5):
        samples = session.run(None, {"z": z[:batch]})[0]
        assert samples.shape == expected[:batch].shape, (samples.shape, expected.shape)
        error = abs(samples - expected[:batch]).max()
        assert error < 1e-4, (name, batch, error)
    print(f"{name}: {expected.shape}, largest difference {error:.1e}")
