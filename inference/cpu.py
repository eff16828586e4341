"""Which kernels the CPU at hand selects."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path

# fmt: off
_KERNEL_FLAGS = frozenset((
    "sse4_1", "avx", "avx2", "fma", "f16c", "avx512f", "avx512bw", "avx512dq", "avx512vl",
    "avx512_vnni", "avx_vnni", "avx_vnni_int8", "avx512_bf16", "amx_tile", "amx_int8",
    "asimd", "asimdhp", "asimddp", "i8mm", "bf16", "sve", "sve2",
))
# fmt: on


@cache
def cpu_signature() -> str:
    """Return what decides how a quantized network computes here.

    Returns
    -------
    str
        Architecture, the CPU flags that select arithmetic kernels, and the version of
        ONNX Runtime: the same file gives other answers where these differ. Without
        ``/proc/cpuinfo``, the processor's name stands for the flags.
    """
    import onnxruntime  # here, not above: see `inference.network_cache`

    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        flags = platform.processor() or "unknown"
    else:
        lines = [line for line in text.splitlines() if line.startswith(("flags", "Features"))]
        words = set(lines[0].split()) if lines else set()
        flags = " ".join(sorted(words & _KERNEL_FLAGS))
    return f"{platform.machine()} {flags} onnxruntime {onnxruntime.__version__}"
