"""pip install --no-build-isolation ./python: compiles the operators against the torch that is installed. Needs setuptools 70.1,
CMake, a C++20 compiler, and the Debian packages nlohmann-json3-dev, libspdlog-dev and libxxhash-dev."""

import importlib.util
import os
import pathlib
import subprocess
import sys

from setuptools import Extension, setup
from setuptools.command.build_ext import build_ext

HERE = pathlib.Path(__file__).resolve().parent


class CMakeBuild(build_ext):
    def get_ext_filename(self, fullname):
        return "libqzo_torch_ops.so"

    def build_extension(self, ext):
        torch = importlib.util.find_spec("torch")  # not imported: only its folder is needed
        if torch is None:
            sys.exit("qzo_optim is built against the torch that is installed, and there is none: install torch, then call "
                     "pip install --no-build-isolation ./python")
        build = pathlib.Path(self.build_temp).resolve()
        build.mkdir(parents=True, exist_ok=True)
        target = pathlib.Path(self.get_ext_fullpath(ext.name)).resolve()
        subprocess.check_call(["cmake", "-S", HERE.parent, "-B", build, "-DCMAKE_BUILD_TYPE=Release", "-DQZO_ONLY_OPTIM=ON",
                               "-DQZO_PYTHON=ON", f"-DTORCH_ROOT={pathlib.Path(torch.origin).parent}",
                               f"-DCMAKE_LIBRARY_OUTPUT_DIRECTORY={target.parent}"])
        subprocess.check_call(["cmake", "--build", build, "--target", "qzo_torch_ops", "--parallel", str(os.cpu_count() or 1)])


setup(ext_modules=[Extension("qzo_optim.ops", [])], cmdclass={"build_ext": CMakeBuild})
