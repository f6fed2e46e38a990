"""Every device that a person can name meets one check, before anything is computed or looked up."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch

import matopt
from matopt.devices import check_device_name, device_named
from matopt.errors import InputError

WRONG = {
    "gpu": "did you mean 'cuda'?",
    "CPU": "did you mean 'cpu'?",
    "Cuda:0": "did you mean 'cuda:0'?",
    "cuda0": "did you mean 'cuda:0'?",
    "cuda:": "did you mean",
    "cuda:-1": "did you mean 'cuda:0'?",
    "cuda:²": "must be cpu, cuda, cuda:0 or mps",
    "cuda: 1": "must be cpu, cuda, cuda:0 or mps",
    "cuda:01": "must be cpu, cuda, cuda:0 or mps",
    "cpu:1": "must be cpu, cuda, cuda:0 or mps",
    "": "must be cpu, cuda, cuda:0 or mps",
    "tpu": "must be cpu, cuda, cuda:0 or mps",
}


@pytest.mark.parametrize(("name", "message"), WRONG.items())
def test_a_word_that_names_no_device_is_told_with_what_was_meant(name, message):
    with pytest.raises(InputError) as caught:
        device_named(name)
    assert message in str(caught.value) and "\n" not in str(caught.value)


def test_devices_are_named_whether_they_are_here_or_not_and_taken_if_they_are():
    assert [check_device_name(name) for name in ("cpu", "cuda", "cuda:7", "mps")] == ["cpu", "cuda", "cuda:7", "mps"]
    assert device_named("cpu") == device_named(torch.device("cpu")) == torch.device("cpu")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    with pytest.raises(InputError, match=f"device 'cuda:{count}': "):
        device_named(f"cuda:{count}")


def test_a_device_that_is_not_here_is_told_though_the_store_has_all_labels(tmp_path):
    images = matopt.Microstructures(np.kron(np.eye(4), np.ones((4, 4))).astype(np.uint8)[None], 1e-6)
    store = matopt.LabelStore(tmp_path)
    matopt.simulate(images, ["diffusivity"], store)
    absent = f"cuda:{torch.cuda.device_count() if torch.cuda.is_available() else 0}"
    for device in ("gpu", absent):
        uses = [
            partial(matopt.simulate, images, ["diffusivity"], store, device),
            partial(matopt.simulate, images, ["diffusivity"], device=device),
            partial(images.density, device),
            partial(matopt.CNN().to, device),
            partial(matopt.MorphologyVAE().to, device),
            partial(matopt.LocalDiffusion().to, device),
            partial(matopt.MarkovRandomField().to, device),
            partial(matopt.ascend, None, "diffusivity", starts=images, device=device),
        ]
        for use in uses:
            with pytest.raises(InputError, match=r"^device "):
                use()
