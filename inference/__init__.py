"""What is in the picture: models, lanes of workers, predictions."""

import os

# The wheels of ONNX Runtime report to their maker and run a thread to do so, unless this
# is set before the library is first imported. Photographs of others are no place for that,
# and a process with a second thread cannot be forked safely.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
