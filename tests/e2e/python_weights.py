"""Reads a file of weights with the packages that others read it with, writes it again, and tells the SHA-256 of each tensor's elements as JSON.

    python tests/e2e/python_weights.py torch IN.pth [OUT.pth [--legacy]]
    python tests/e2e/python_weights.py safetensors IN.safetensors OUT.safetensors
    python tests/e2e/python_weights.py numpy IN.npz
    python tests/e2e/python_weights.py run PROGRAM.py

Where CUDA's libraries are not installed, torch is imported over the stand-ins of scripts/stand_in_cuda.py in <prefix>/cuda.
"""
import ctypes
import hashlib
import json
import pathlib
import sys


def import_torch():
    for library in sorted(pathlib.Path(sys.prefix, "cuda").glob("*.so*")):
        ctypes.CDLL(str(library), ctypes.RTLD_GLOBAL)
    import torch

    return torch


def tell(arrays):
    def facts(array):
        elements = array.tobytes()
        return {"shape": list(array.shape), "sha256": hashlib.sha256(elements).hexdigest()}

    print(json.dumps({name: facts(array) for name, array in arrays.items()}))


def bits(tensors):
    """NumPy has no bfloat16: elements are shown as bytes, shapes as they are."""
    torch = import_torch()

    def one(tensor):
        flat = tensor.contiguous().flatten()
        return flat.view(torch.uint8).numpy() if flat.numel() else flat.to(torch.uint8).numpy()

    print(json.dumps({name: {"dtype": str(tensor.dtype).removeprefix("torch."), "shape": list(tensor.shape),
                             "sha256": hashlib.sha256(one(tensor).tobytes()).hexdigest()} for name, tensor in tensors.items()}))


def main(package, source, *more):
    if package == "run":  # a program that imports torch itself
        import_torch()
        exec(compile(pathlib.Path(source).read_text(encoding="utf8"), source, "exec"), {})
    elif package == "torch":
        torch = import_torch()
        tensors = torch.load(source, weights_only=True)
        bits(tensors)
        if more:
            torch.save(tensors, more[0], _use_new_zipfile_serialization="--legacy" not in more)
    elif package == "safetensors":
        import_torch()
        from safetensors import safe_open
        from safetensors.torch import save_file

        with safe_open(source, framework="pt") as file:
            tensors, metadata = {name: file.get_tensor(name) for name in file.keys()}, file.metadata()
        bits(tensors)
        save_file(tensors, more[0], metadata=metadata)
    else:
        import numpy

        with numpy.load(source, allow_pickle=False) as file:
            tell({name: file[name] for name in file.files})


main(*sys.argv[1:])
