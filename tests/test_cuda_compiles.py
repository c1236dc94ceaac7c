"""Without a device: every CUDA source builds without warnings or spills, and _cuda imports and says what it lacks."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
ARCHITECTURES = ("sm_80", "sm_90")
KERNELS = (
    *("BackgroundRows", "Permutations", "PrefixColumns", "Subsets", "DrawSizes", "DrawPlayers"),
    *("DistanceTiles", "MatchRows", "RegressionRows", "ThresholdRows", "AddColumns"),
)
WITHOUT_DEVICES = os.environ | {"CUDA_VISIBLE_DEVICES": ""}
MOST_REGISTERS = 64  # 1024 threads on a multiprocessor of 65 536 registers

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("nvcc") is None, reason="nvcc is not installed"),
]


@pytest.fixture(scope="module")
def cuda_build(build_module):
    return build_module("_cuda", "-DFASTSA_CUDA=ON", "-DCMAKE_CUDA_FLAGS=-Xptxas=-v")


def resources(output):
    """What ptxas says: (kernel, architecture) -> (stack, spill stores, spill loads, registers)."""
    says = re.compile(
        r"entry function '(\w+)' for '(sm_\d+)'.*?(\d+) bytes stack frame, (\d+) bytes spill stores, "
        r"(\d+) bytes spill loads.*?Used (\d+) registers",
        re.DOTALL,
    )
    return {match[:2]: tuple(map(int, match[2:])) for match in says.findall(output)}


def test_every_cuda_source_is_built_for_every_architecture(cuda_build):
    built = set(re.findall(r"Building CUDA object \S*/(csrc/\S+\.cu)\.o", cuda_build[1]))
    assert built == {str(path.relative_to(ROOT)) for path in ROOT.glob("csrc/**/*.cu")}
    seen = {(name, arch) for symbol, arch in resources(cuda_build[1]) for name in KERNELS if name in symbol}
    assert seen == {(name, arch) for name in KERNELS for arch in ARCHITECTURES}
    assert len(resources(cuda_build[1])) == len(seen)


def test_kernels_keep_everything_in_registers(cuda_build):
    for kernel, (stack, stores, loads, registers) in resources(cuda_build[1]).items():
        assert (stack, stores, loads) == (0, 0, 0), kernel
        assert registers <= MOST_REGISTERS, kernel


def test_a_kernel_with_phases_builds_for_a_device(tmp_path):
    targets = [f"-gencode=arch=compute_{arch[3:]},code={arch}" for arch in ARCHITECTURES]
    command = ["nvcc", "-std=c++17", "-O3", "--Werror=all-warnings", "-Xcompiler=-Wall,-Wextra", "-Xptxas=-v"]
    source = ROOT / "tests" / "native" / "row_minimum.cu"
    folders = [f"-I{ROOT / 'csrc'}", f"-I{ROOT / 'tests'}"]
    done = subprocess.run(
        [*command, *targets, *folders, "-c", source, "-o", tmp_path / "row_minimum.o"], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    used = resources(done.stdout + done.stderr)
    assert {arch for _, arch in used} == set(ARCHITECTURES)
    assert all(use[:3] == (0, 0, 0) for use in used.values())


def test_a_kernel_that_spills_is_seen():
    said = """ptxas info    : Compiling entry function '_Z4slow' for 'sm_80'
ptxas info    : Function properties for _Z4slow
    16 bytes stack frame, 8 bytes spill stores, 12 bytes spill loads
ptxas info    : Used 255 registers, used 0 barriers"""
    assert resources(said) == {("_Z4slow", "sm_80"): (16, 8, 12, 255)}


def in_a_process_without_devices(module, code):
    start = f"import sys; sys.path.insert(0, {str(Path(module.__file__).parent)!r}); import _cuda; "
    return subprocess.run([sys.executable, "-c", start + code], capture_output=True, text=True, env=WITHOUT_DEVICES)


def test_the_module_imports_without_a_device_and_counts_none(cuda_build):
    done = in_a_process_without_devices(cuda_build[0], "print(_cuda.device_count())")
    assert (done.returncode, done.stdout.strip()) == (0, "0"), done.stderr


def test_a_launch_without_a_device_names_the_kernel(cuda_build):
    done = in_a_process_without_devices(cuda_build[0], "_cuda.draw_sizes(0, 0, 0, 1, 2, 0, 0, 1, 0)")
    assert done.returncode == 1
    assert "RuntimeError: The CUDA kernel draw_sizes was not launched: " in done.stderr


def test_the_device_and_its_emulation_are_bound_alike(cuda_build, native_testing):
    bound = [name for name in dir(cuda_build[0]) if not name.startswith("_")]
    assert {"permutations", "prefix_coalitions", "subsets", "draw_sizes", "draw_players"} < set(bound)
    assert {"neighbor_distances", "match_values", "regression_values", "threshold_values", "add_columns"} < set(bound)
    for name in bound:
        assert getattr(cuda_build[0], name).__doc__ == getattr(native_testing.emulated, name).__doc__
