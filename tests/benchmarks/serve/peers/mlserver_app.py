"""MLServer: a custom runtime in two parallel workers, asked over gRPC."""

from __future__ import annotations

from mlserver import MLModel
from mlserver.types import InferenceRequest, InferenceResponse, ResponseOutput

from tests.benchmarks.serve.peers.work import Work


class Judge(MLModel):
    """The runtime of one worker process."""

    async def load(self) -> bool:
        """Load the models."""
        self._work = Work()
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        """Judge the one picture of a request."""
        said = self._work(payload.inputs[0].data[0])
        output = ResponseOutput(name="said", shape=[1, 1], datatype="BYTES", data=[said.encode()])
        return InferenceResponse(model_name=self.name, outputs=[output])
