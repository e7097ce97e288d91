"""What torch and the packages around it say when they do not fit the GPU, the Python or each other."""

from __future__ import annotations

from envcheck.symptoms.symptom import Fix, Symptom

NO_CODE = Symptom(
    "torch.no-kernel-image",
    "this build of torch has no code for the GPU",
    Fix("Take a build that has; which ones do is found here.", ("envcheck pick", "envcheck builds")),
    in_log=(
        "no kernel image is available",
        "is not compatible with the current PyTorch installation",
        "CUDA_ERROR_NO_BINARY_FOR_GPU",
        "cudaErrorNoKernelImageForDevice",
    ),
    why="Machine code runs within its major version only, and each torch holds other architectures; "
    "torch.cuda.is_available() is true all the same.",
    link="https://docs.nvidia.com/cuda/ampere-compatibility-guide/",
)

CPU_ONLY = Symptom(
    "torch.cpu-only",
    "this build of torch is for the CPU only",
    Fix("Install a build with CUDA that the driver can run.", ("envcheck pick", "envcheck run ...")),
    in_log=("Torch not compiled with CUDA enabled", "PyTorch was compiled without CUDA support"),
    why="The index had no other wheel for this Python or system, or a second package brought it in.",
    link="https://github.com/pytorch/pytorch/issues/30664",
    caused_by=(
        "driver.loaded",
        "driver.module-match",
        "driver.present",
        "driver.uvm",
        "gpu.none-visible",
    ),
)

NO_WHEEL_FOR_PYTHON = Symptom(
    "wheel.python",
    "a package has no wheel for this Python",
    Fix("Take a Python that it serves.", ("envcheck pick", "uv python install 3.11")),
    in_log=(
        "requires a different Python: ",
        "is not a supported wheel on this platform",
        "Ignored the following versions that require a different python version: ",
    ),
    why="Compiled packages are built for some Pythons; a new one is served months after it came out.",
    link="https://packaging.python.org/en/latest/specifications/platform-compatibility-tags/",
)

SHADOWED = Symptom(
    "torch.shadowed-libraries",
    "torch loads CUDA libraries that are not its own",
    Fix(
        "Take the system's CUDA out of LD_LIBRARY_PATH for this program.",
        ("env -u LD_LIBRARY_PATH python ...", "ldconfig -p | grep -e nvJitLink -e libcu"),
    ),
    in_log=(
        "undefined symbol: __nvJitLink",
        "undefined symbol: nccl",
        "undefined symbol: cublas",
        "undefined symbol: cusparse",
        "undefined symbol: cudnn",
    ),
    why="LD_LIBRARY_PATH or ld.so.conf puts a CUDA toolkit before the libraries of the wheels.",
    link="https://github.com/pytorch/pytorch/issues/111469",
)

NO_LIBRARY = Symptom(
    "torch.library-missing",
    "a CUDA library that the program loads is not here",
    Fix(
        "Install torch anew with all that it asks for; an extension has to be built for torch's own CUDA.",
        ("pip check", "pip install --force-reinstall torch", "pip list | grep -i nvidia"),
    ),
    in_log=(
        "libcudnn.so...: cannot open shared object file",
        "libcublas.so...: cannot open shared object file",
        "libcublasLt.so...: cannot open shared object file",
        "libcudart.so...: cannot open shared object file",
        "libnccl.so...: cannot open shared object file",
        "libcusparseLt.so...: cannot open shared object file",
        "libnvrtc.so...: cannot open shared object file",
    ),
    why="torch's wheels bring these as packages of their own: one was left out or taken away, or what loads "
    "it was built for another CUDA.",
    link="https://pytorch.org/get-started/locally/",
)

OLD_NUMPY_ABI = Symptom(
    "numpy.too-new",
    "NumPy 2 beside packages that were built for NumPy 1",
    Fix("NumPy below 2, until every package is newer.", ('pip install "numpy<2"',)),
    in_log=("compiled using NumPy 1.x cannot be run", "Numpy is not available"),
    why="torch before 2.3, and other packages of its time, know NumPy 1 only.",
    link="https://numpy.org/doc/stable/numpy_2_0_migration_guide.html",
)

OTHER_NUMPY_ABI = Symptom(
    "numpy.other-abi",
    "a package was built for another NumPy than the one that is installed",
    Fix(
        "Install it anew, built for this NumPy, or take the NumPy that it was built for.",
        ("pip install --force-reinstall --no-deps PACKAGE",),
    ),
    in_log=(
        "numpy.dtype size changed",
        "numpy.ndarray size changed",
    ),
    why="Its compiled part was made against headers of another major version of NumPy.",
    link="https://github.com/jin-s13/xtcocoapi/issues/45",
    caused_by=("numpy.too-new",),
)

OPENCV = Symptom(
    "opencv.system-library",
    "OpenCV wants a library of the desktop that is not here",
    Fix(
        "Take the build without windows, and that one only: two of them overwrite each other.",
        (
            "pip uninstall -y opencv-python opencv-contrib-python opencv-python-headless",
            "pip install opencv-python-headless",
        ),
    ),
    in_log=(
        "libGL.so.1: cannot open shared object file",
        "libgthread-2.0.so.0: cannot open shared object file",
        "libSM.so.6: cannot open shared object file",
    ),
    why="opencv-python is built to show windows; containers and servers have nothing to show them with.",
    link="https://github.com/opencv/opencv-python/issues/370",
)

PAIR = Symptom(
    "torch.pair",
    "torch and torchvision are not a pair",
    Fix("Install both from one index and of one release.", ("envcheck recipes show NAME",)),
    in_log=(
        "operator torchvision::nms does not exist",
        "No such operator torchvision::nms",
        "Could not run 'torchvision::nms' with arguments from the 'CUDA' backend",
        "Couldn't load custom C++ ops",
        "PyTorch and torchvision were compiled with different CUDA",
        "PyTorch and torchaudio were compiled with different CUDA",
    ),
    why="Each torchvision is built for one torch and one CUDA.",
    link="https://github.com/pytorch/vision#installation",
)

OTHER_TOOLKIT = Symptom(
    "torch.toolkit",
    "an extension is compiled by another CUDA than the one in torch",
    Fix(
        "Point CUDA_HOME at a toolkit of torch's own major version.",
        ('python -c "import torch; print(torch.version.cuda)"', "nvcc --version"),
    ),
    in_log=("mismatches the version that was used to compile",),
    why="Only what compiles CUDA code needs nvcc; torch itself brings all that it runs on.",
    link="https://docs.pytorch.org/docs/stable/cpp_extension.html",
)

COMPILER = Symptom(
    "torch.compiler",
    "torch.compile finds no compiler, or no headers of Python",
    Fix(
        "Install both, or go without torch.compile (TORCH_COMPILE_DISABLE=1).",
        ("sudo apt install gcc python3-dev",),
        needs_root=True,
    ),
    in_log=(
        "Failed to find C compiler. Please specify via CC environment variable",
        "fatal error: Python.h: No such file or directory",
        "InvalidCxxCompiler: No working C++ compiler found",
    ),
    why="torch.compile writes C and CUDA and compiles them while the program runs; small images have no gcc.",
    link="https://docs.pytorch.org/docs/stable/torch.compiler_troubleshooting.html",
)

OLD_LIBC = Symptom(
    "system.glibc",
    "the system's C or C++ library is too old for a package",
    Fix(
        "A container brings its own; else take a package that was built on an older system.",
        ("ldd --version", "envcheck pick"),
    ),
    in_log=("version `GLIBC_...' not found", "version `GLIBCXX_...' not found"),
    why="A wheel names the oldest glibc that it runs on; what was compiled elsewhere does not.",
    link="https://github.com/pypa/manylinux",
)
