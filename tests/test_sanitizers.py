"""Every native operation under the address and undefined-behaviour sanitizers, in a program without Python."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FLAGS = [
    *("-O1", "-g1", "-std=c++17", "-ffp-contract=off", "-Wall", "-Wextra", "-Wconversion", "-Wno-psabi", "-Werror"),
    *("-fsanitize=address,undefined", "-fno-sanitize-recover=all"),
    *(f"-I{ROOT / 'csrc'}", f"-I{ROOT / 'tests'}"),
]
X86 = platform.machine() in ("x86_64", "AMD64")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("g++") is None, reason="g++ is not installed"),
]


def compilations():
    """(source, flags of its own): lane code once per instruction set, as CMakeLists.txt has it."""
    wide = ["-DFSA_HAS_AVX2_BUILD"] if X86 else []
    for source in [*sorted(ROOT.glob("csrc/ops/*.cpp")), ROOT / "tests" / "native" / "every_op.cpp"]:
        if "FSA_ISA" in source.read_text():
            yield source, ["-DFSA_ISA=portable"]
            if X86:
                yield source, ["-DFSA_ISA=avx2", "-mavx2"]
        else:
            yield source, wide


@pytest.fixture(scope="module")
def program(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sanitized")

    def build(number, source, flags):
        target = folder / f"{number}.o"
        subprocess.run(["g++", *FLAGS, *flags, "-c", source, "-o", target], check=True)
        return target

    longest_first = sorted(compilations(), key=lambda pair: -pair[0].stat().st_size)
    with ThreadPoolExecutor(2) as pool:
        objects = list(pool.map(lambda job: build(job[0], *job[1]), enumerate(longest_first)))
    subprocess.run(["g++", *FLAGS, *objects, "-o", folder / "every_op"], check=True)
    return folder / "every_op"


def run(program, *arguments):
    # Leaks are not looked for: that does not work where processes are traced, and the operations own nothing.
    environment = os.environ | {"ASAN_OPTIONS": "detect_leaks=0"}
    return subprocess.run([program, *arguments], capture_output=True, text=True, env=environment)


def test_every_operation_runs_clean(program):
    done = run(program)
    assert (done.returncode, done.stderr) == (0, "")


def test_an_overrun_is_seen(program):
    done = run(program, "overrun")
    assert done.returncode != 0
    assert "heap-buffer-overflow" in done.stderr


def test_every_operation_of_the_library_is_in_the_program():
    text = (ROOT / "tests" / "native" / "every_op.cpp").read_text()
    missing = [path.stem for path in ROOT.glob("csrc/ops/*.cpp") if f'"ops/{path.stem}.h"' not in text]
    assert missing == []
