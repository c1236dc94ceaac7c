"""What tests share: the native test module, built once per session, and a CUDA device emulated on the host."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

ROOT = Path(__file__).parents[1]

# The same examples in every run, and no verdict from a slow machine.
settings.register_profile(
    "house", derandomize=True, deadline=None, database=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("house")


@pytest.fixture(scope="session", autouse=True)
def away_from_the_sources(tmp_path_factory):
    """Programs started by tests look for packages where they stand first: not beside sources that have no native module."""
    home = os.getcwd()
    os.chdir(tmp_path_factory.mktemp("elsewhere"))
    yield
    os.chdir(home)


def tool(name: str) -> str:
    """A program of this environment, or of the machine."""
    path = shutil.which(name, path=sysconfig.get_path("scripts")) or shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


@pytest.fixture(scope="session")
def build_module(tmp_path_factory):
    """build_module(name, *options) -> (module, the build's output): a native module, built by CMake and imported."""
    pybind11 = pytest.importorskip("pybind11")

    def build(name: str, *options: str) -> tuple[ModuleType, str]:
        folder = tmp_path_factory.mktemp(name)
        given = (
            f"-DCMAKE_MAKE_PROGRAM={tool('ninja')}",
            f"-DPython_EXECUTABLE={sys.executable}",
            f"-Dpybind11_DIR={pybind11.get_cmake_dir()}",
            "-DFASTSA_WERROR=ON",
            *options,
        )
        run(tool("cmake"), "-S", ROOT, "-B", folder, "-G", "Ninja", *given)
        output = run(tool("cmake"), "--build", folder, "--target", name, "--parallel", "2")
        return load(name, only_output_of(folder, name)), output

    return build


def run(*command: str | Path) -> str:
    """The output of a command; its failure fails the test and shows it."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode != 0:
        pytest.fail(f"{command[0]} answered {done.returncode}:\n{done.stdout[-4000:]}\n{done.stderr[-4000:]}")
    return done.stdout + done.stderr


def only_output_of(folder: Path, name: str) -> Path:
    return next(folder.glob(f"{name}*{sysconfig.get_config_var('EXT_SUFFIX')}"))


def load(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def native_testing(build_module):
    """The _testing module."""
    return build_module("_testing", "-DFASTSA_TESTING=ON", "-DFASTSA_CUDA=OFF")[0]


class HostArray(np.ndarray):
    """A numpy array that shows what is asked of a CuPy array."""

    @property
    def data(self):
        return SimpleNamespace(ptr=self.ctypes.data)

    @property
    def device(self):
        return SimpleNamespace(id=0)


@pytest.fixture
def emulated_cuda(native_testing, monkeypatch):
    """device="cuda" on the host: the emulator in place of _cuda, numpy in place of CuPy; a namespace of both."""
    cupy = ModuleType("cupy")
    cupy.ndarray = HostArray
    cupy.cuda = SimpleNamespace(Device=lambda: SimpleNamespace(id=0), get_current_stream=lambda: SimpleNamespace(ptr=0))
    for name in ("empty", "zeros", "asarray", "arange", "ascontiguousarray", "argsort"):
        setattr(cupy, name, lambda *given, _of=getattr(np, name), **more: _of(*given, **more).view(HostArray))
    cupy.sort, cupy.cumsum, cupy.flatnonzero, cupy.sqrt = np.sort, np.cumsum, np.flatnonzero, np.sqrt
    cupy.asnumpy = lambda array: np.array(array, subok=False)
    monkeypatch.setitem(sys.modules, "cupy", cupy)
    monkeypatch.setitem(sys.modules, "fastsa._cuda", native_testing.emulated)
    yield SimpleNamespace(cupy=cupy, kernels=native_testing.emulated)
    native_testing.emulated.set_order(n_threads=4, n_blocks=3, order=0)
