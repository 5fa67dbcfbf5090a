"""Speed and memory on this machine: one table on the screen, the same numbers as JSON.

    python tools/bench.py CLIP -o out/bench.json [--long]

Network: milliseconds at batch 1 and 16 in float32 and bfloat16, laid out as a capture does. The paper says 10 frames a
second at batch 1 on an RTX 2080 Ti; compare the preset hand4whole. Capture: the clip once through `pose2pose capture`,
frames a second by stage and peak memory. Memory: the clip looped to 200 frames, with `--long` to 2,000 as well.
Keys: a take of 300 frames onto an armature, in a process of its own (`bench_keys.py`). Service: seconds from the click
to the first progress (`bench_service.py`); what that means for Blender's window is measured by `make ui-test`.
"""

import argparse
import json
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import av
import numpy as np
import torch

from pose2pose.backend.device import pick_device
from pose2pose.backend.model.pose2pose import IMAGE_SIZE
from pose2pose.backend.model.presets import PRESETS, build

BATCHES = (1, 16)
PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}
LEAST_RUNS, LEAST_SECONDS, ENOUGH_SECONDS = 3, 2.0, 10.0
"""A measurement repeats until it has this many runs and seconds, or has simply lasted long enough."""
POLL_SECONDS = 0.05
PAPER_FPS = 10
"""Frames a second that the paper gives, on an RTX 2080 Ti at batch 1."""
SHORT, LONG = 200, 2000
STAGES = ("decode", "detect", "crop", "network", "refine")
"""Those whose time grows with the frames."""
PROGRAM = str(Path(sys.executable).with_name("pose2pose"))

Row = dict[str, Any]


def network_rows(device: torch.device) -> list[Row]:
    """Milliseconds of a forward pass; random weights take as long as trained ones."""
    rows = []
    for preset in PRESETS.values():
        network = build(preset).eval().to(device)
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        for precision, dtype in PRECISIONS.items():
            for batch in BATCHES:
                images = torch.rand(batch, 3, *IMAGE_SIZE, device=device).contiguous(memory_format=torch.channels_last)
                seconds = _forward_seconds(network, images, dtype)
                rows.append({"preset": preset.name, "precision": precision, "batch": batch, "ms": 1e3 * seconds})
    return rows


def _forward_seconds(network: torch.nn.Module, images: torch.Tensor, dtype: torch.dtype) -> float:
    context = nullcontext() if dtype is torch.float32 else torch.autocast(images.device.type, dtype=dtype)

    def forward() -> None:
        network(images)
        if images.device.type == "cuda":
            torch.cuda.synchronize()

    with torch.inference_mode(), context:
        forward()
        return median_seconds(forward)


def median_seconds(run: Callable[[], None]) -> float:
    """Median duration of several runs."""
    durations: list[float] = []
    while sum(durations) < (LEAST_SECONDS if len(durations) >= LEAST_RUNS else ENOUGH_SECONDS):
        start = time.perf_counter()
        run()
        durations.append(time.perf_counter() - start)
    return float(np.median(durations))


def run_child(command: list[str]) -> tuple[float, float]:
    """Run a command: (seconds, peak memory in MB; nan where the system does not tell).

    Raises:
        RuntimeError: it failed.
    """
    start, peak = time.perf_counter(), float("nan")
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    while process.poll() is None:
        peak = _peak_memory(process.pid, peak)
        time.sleep(POLL_SECONDS)
    if process.returncode != 0:
        raise RuntimeError(f"{' '.join(command)} ended with code {process.returncode}")
    return time.perf_counter() - start, peak


def _peak_memory(pid: int, before: float) -> float:
    """A process's own high-water mark. `wait4` would count this process's memory too, from before the exec."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return before
    return next((int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:")), before)


def capture_row(clip: Path, folder: Path) -> Row:
    """Capture a clip with the command; its own summary holds the stages, and what they leave over is the rest."""
    seconds, memory = run_child([PROGRAM, "capture", str(clip), "-o", str(folder)])
    summary = json.loads((folder / "summary.json").read_text())
    frames, stages = summary["frames"], summary["seconds"]
    stages["rest (start, overlay, files)"] = seconds - sum(stages.values())
    return {
        "frames": frames,
        "people": len(summary["people"]),
        "command_fps": frames / seconds,
        "capture_fps": summary["frames_per_second"],
        "seconds": stages,
        "peak_mb": memory,
    }


def loop_clip(clip: Path, frames: int, target: Path) -> Path:
    """The clip over and over until there are so many frames."""
    with av.open(str(target), "w") as output:
        stream = None
        written = 0
        while written < frames:
            with av.open(str(clip)) as source:
                rate = source.streams.video[0].average_rate
                for frame in source.decode(video=0):
                    if stream is None:
                        stream = output.add_stream("mpeg4", rate=rate)
                        stream.width, stream.height, stream.pix_fmt = frame.width, frame.height, "yuv420p"
                        stream.bit_rate = 8_000_000
                    if written < frames:
                        image = av.VideoFrame.from_ndarray(frame.to_ndarray(format="rgb24"), format="rgb24")
                        output.mux(stream.encode(image))
                        written += 1
        if stream is None:
            raise RuntimeError(f"{clip} holds no frames")
        output.mux(stream.encode())
    return target


def key_row(folder: Path) -> Row:
    """Seconds to key, and of the whole command: Blender's start, body, smoothing, keys, file."""
    take = folder / "swing.npz"
    row = tool_row("bench_keys.py", take)
    seconds, memory = run_child([PROGRAM, "animate", str(take), "-o", str(folder / "swing.blend")])
    return {**row, "command_seconds": seconds, "peak_mb": memory}


def tool_row(tool: str, argument: Path) -> Row:
    """What a program beside this one prints as its last line."""
    command = [sys.executable, str(Path(__file__).with_name(tool)), str(argument)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    row: Row = json.loads(said.strip().splitlines()[-1])
    return row


def processor_name() -> str:
    """The processor's model as Linux tells it, otherwise what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())


def measure(clip: Path, *, long: bool) -> dict[str, Any]:
    """Everything, as one dictionary."""
    device = pick_device()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lengths = (SHORT, LONG) if long else (SHORT,)
        return {
            "machine": {
                "processor": processor_name(),
                "threads": torch.get_num_threads(),
                "device": str(device),
                "torch": torch.__version__,
                "clip": clip.name,
            },
            "network": network_rows(device),
            "capture": capture_row(clip, folder / "clip"),
            "looped": [capture_row(loop_clip(clip, n, folder / f"{n}.mp4"), folder / str(n)) for n in lengths],
            "keys": key_row(folder),
            "service": tool_row("bench_service.py", clip),
        }


def table(results: dict[str, Any]) -> str:
    """The results as text, one line for each."""
    lines = [("measured", "value")]
    lines += [(str(name), str(value)) for name, value in results["machine"].items()]
    for row in results["network"]:
        label = f"network {row['preset']}, {row['precision']}, batch {row['batch']}"
        lines.append((label, f"{row['ms']:.0f} ms, {1e3 * row['batch'] / row['ms']:.1f} frames a second"))
    lines.append(
        ("  of the paper, on an RTX 2080 Ti, batch 1", f"{1e3 / PAPER_FPS:.0f} ms, {PAPER_FPS} frames a second")
    )
    capture = results["capture"]
    label = f"capture, {capture['frames']} frames, people: {capture['people']}"
    lines.append((label, f"{capture['capture_fps']:.2f} frames a second without loading and overlay"))
    lines.append(("  the whole command", f"{capture['command_fps']:.2f} frames a second"))
    for stage, seconds in capture["seconds"].items():
        rate = f", {capture['frames'] / max(seconds, 1e-9):.1f} frames a second" if stage in STAGES else ""
        lines.append((f"  {stage}", f"{seconds:.1f} s{rate}"))
    for row in [capture, *results["looped"]]:
        lines.append((f"peak memory, {row['frames']} frames", f"{row['peak_mb']:.0f} MB"))
    keys = results["keys"]
    lines.append((f"keys of {keys['frames']} frames", f"{keys['key_seconds']:.3f} s"))
    lines.append(("  one by one with keyframe_insert", f"{keys['insert_seconds']:.3f} s"))
    lines.append(("  the whole command, with Blender's start", f"{keys['command_seconds']:.1f} s"))
    service = results["service"]
    lines.append(("service listens after", f"{service['listen_seconds']:.1f} s"))
    lines.append(("  first progress, just started", f"{service['cold_seconds']:.1f} s"))
    lines.append(("  first progress, warm", f"{service['warm_seconds']:.2f} s"))
    width = max(len(name) for name, _ in lines)
    return "\n".join(f"{name:<{width}}  {value}" for name, value in lines)


def main() -> None:
    """Measure, print the table, write the file."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("clip", type=Path, help="video with one or more people")
    parser.add_argument("-o", "--output", type=Path, default=Path("out/bench.json"))
    parser.add_argument("--long", action="store_true", help=f"memory at {LONG} frames as well")
    options = parser.parse_args()
    results = measure(options.clip, long=options.long)
    options.output.parent.mkdir(parents=True, exist_ok=True)
    options.output.write_text(json.dumps(results, indent=2) + "\n")
    print(table(results))
    print(f"\nwritten to {options.output}")


if __name__ == "__main__":
    main()
