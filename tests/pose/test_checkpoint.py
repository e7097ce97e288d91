"""Weights: every format is read, nothing is executed, misfits are named, writing is all or nothing.

Long because files that only look alike are made here byte by byte, beside the refusals that they meet.
"""

from __future__ import annotations

import errno
import io
import os
import pickle
import struct
import zipfile
from collections import OrderedDict

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="needs the pose extra")

from pose.errors import PoseError  # noqa: E402
from pose.networks import checkpoint  # noqa: E402
from pose.networks.resnet import PoseResNet  # noqa: E402

FORMATS = {"zip": {}, "stream": {"_use_new_zipfile_serialization": False}}


@pytest.fixture(params=FORMATS)
def save(request, tmp_path):
    def write(content, name="weights.pth"):
        path = tmp_path / name
        torch.save(content, path, **FORMATS[request.param])
        return path

    return write


@pytest.fixture(scope="module")
def model():
    return PoseResNet(18, 17, deconv_filters=(8, 8, 8))


def equal(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) and a[k].dtype == b[k].dtype for k in a)


# -- what is read ----------------------------------------------------------------------------------------


def test_a_state_dict_is_read_as_torch_reads_it(save, model):
    path = save(model.state_dict())
    assert equal(checkpoint.read_state(path), dict(model.state_dict()))


def test_every_element_type_and_layout_is_read(save):
    wide = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    content = {
        "transposed": wide.t(),
        "part": wide[1:3, ::2],
        "scalar": torch.tensor(7),
        "empty": torch.empty(0, 3),
        "parameter": torch.nn.Parameter(torch.ones(2)),
        **{str(kind): torch.ones(3).to(kind) for kind in (torch.float64, torch.float16, torch.bfloat16)},
        **{str(kind): torch.ones(3).to(kind) for kind in (torch.int64, torch.int32, torch.uint8, torch.bool)},
    }
    read = checkpoint.read_checkpoint(save(content))
    expected = {key: value.detach() for key, value in content.items()}
    assert equal(read, expected)


def test_what_shares_storage_stays_shared(save):
    weights = torch.zeros(3)
    read = checkpoint.read_checkpoint(save({"a": weights, "b": weights.view(3, 1)}))
    read["a"].fill_(1)
    assert read["b"].sum() == 3


def test_the_public_checkpoint_with_its_numpy_score_and_data_parallel_names_is_read(save, model):
    optimizer = torch.optim.Adam(model.parameters())
    sum(parameter.sum() for parameter in model.parameters()).backward()
    optimizer.step()
    content = {
        "epoch": 3,
        "model": "pose_resnet",
        "state_dict": OrderedDict((f"module.{k}", v) for k, v in model.state_dict().items()),
        "best_state_dict": model.state_dict(),
        "perf": np.float64(0.704),
        "optimizer": optimizer.state_dict(),
    }
    path = save(content, "checkpoint.pth")
    read = checkpoint.read_checkpoint(path)
    assert (read["epoch"], read["perf"], type(read["perf"])) == (3, 0.704, float)
    assert equal(checkpoint.state_of(read, path), dict(model.state_dict()))
    fresh = torch.optim.Adam(model.parameters())
    fresh.load_state_dict(read["optimizer"])
    expected = optimizer.state_dict()["state"]
    assert all(
        torch.equal(fresh.state_dict()["state"][k]["exp_avg"], expected[k]["exp_avg"]) for k in expected
    )


@pytest.mark.parametrize("value", [np.float32(1.5), np.int64(-3), np.bool_(1), np.float64(0.25)])
def test_numpy_numbers_become_plain_ones(save, value):
    read = checkpoint.read_checkpoint(save({"a": value}))["a"]
    assert read == value.item()
    assert type(read) is type(value.item())


def test_numpy_1_and_2_spell_their_numbers_under_different_names(tmp_path):
    for module in ("numpy.core.multiarray", "numpy._core.multiarray"):
        text = pickle.dumps({"perf": np.float64(0.5)}, protocol=2)
        text = text.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
        text = text.replace(b"numpy.core.multiarray", module.encode())
        assert checkpoint.read_checkpoint(zipped(tmp_path, text)) == {"perf": 0.5}


# -- what is refused -------------------------------------------------------------------------------------


class Bomb:
    """Pickles as a call; the tests first see it go off in plain pickle."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def zipped(folder, text, **more):
    path = folder / "made.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("made/data.pkl", text)
        for name, content in more.items():
            archive.writestr(f"made/{name}", content)
    return path


def write_marker(path):
    return Bomb(os.system, f"touch '{path}'")


@pytest.mark.parametrize("place", ["alone", "beside", "as a tensor", "in the optimizer", "as a key"])
def test_code_in_a_weights_file_is_refused_and_not_run(save, tmp_path, place, model):
    marker = tmp_path / "executed"
    bomb = write_marker(marker)
    content = {
        "alone": bomb,
        "beside": {**model.state_dict(), "extra": bomb},
        "as a tensor": {"state_dict": {"conv1.weight": bomb}},
        "in the optimizer": {"state_dict": {}, "optimizer": {"state": [bomb]}},
        "as a key": {(1, bomb): 2},
    }[place]
    path = save(content)
    with pytest.raises(PoseError, match="nothing of it was executed") as caught:
        checkpoint.read_checkpoint(path)
    assert "system" in caught.value.message
    assert not marker.exists()
    pickle.loads(pickle.dumps(bomb))  # noqa: S301 - to see that it is a live one
    assert marker.exists()


@pytest.mark.parametrize(
    ("function", "arguments", "name"),
    [
        (eval, ("1+1",), "__builtin__.eval"),
        (exec, ("x=1",), "__builtin__.exec"),
        (getattr, ({}, "clear"), "__builtin__.getattr"),
        (torch.load, ("x.pth",), "torch.serialization.load"),
        (torch.hub.load, ("a/b", "c"), "torch.hub.load"),
        (torch.jit.load, ("x.pt",), "torch.jit._serialization.load"),
        (torch.nn.Linear, (1, 1), "torch.nn.modules.linear.Linear"),
    ],
)
def test_no_function_outside_the_list_can_be_called_not_even_torchs_own(save, function, arguments, name):
    with pytest.raises(PoseError, match=name.replace(".", r"\.")):
        checkpoint.read_checkpoint(save({"a": Bomb(function, *arguments)}))


def test_the_entries_of_the_list_cannot_be_changed_by_a_pickle(tmp_path):
    # GLOBAL _rebuild_tensor_v2, then BUILD with a dict and with a slot state.
    for state in (b"}X\x01\x00\x00\x00aK\x01s", b"N}X\x04\x00\x00\x00nameK\x01s\x86"):
        text = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n" + state + b"b."
        with pytest.raises(PoseError, match="changes"):
            checkpoint.read_checkpoint(zipped(tmp_path, text))


def test_storage_classes_are_names_only(tmp_path):
    with pytest.raises(PoseError, match="FloatStorage"):
        checkpoint.read_checkpoint(zipped(tmp_path, b"\x80\x02ctorch\nFloatStorage\nK\x05\x85R."))


def tensor_pickle(offset, size, stride, count=4):
    """A pickle of one float tensor over a storage of `count`, as torch writes it."""

    class Pickler(pickle.Pickler):
        def persistent_id(self, value):
            return ("storage", torch.FloatStorage, "0", "cpu", count) if value == "STORAGE" else None

    text = io.BytesIO()
    arguments = ("STORAGE", offset, size, stride, False, OrderedDict())
    Pickler(text, protocol=2).dump({"a": Bomb(torch._utils._rebuild_tensor_v2, *arguments)})  # noqa: SLF001
    return text.getvalue()


@pytest.mark.parametrize(
    ("offset", "size", "stride", "count"),
    [
        (0, (5,), (1,), 4),
        (1, (4,), (1,), 4),
        (0, (2,), (4,), 4),
        (-1, (1,), (1,), 4),
        (0, (1,), (-1,), 4),
    ],
)
def test_a_tensor_that_reaches_past_its_storage_is_refused(tmp_path, offset, size, stride, count):
    good = zipped(tmp_path, tensor_pickle(0, (4,), (1,)), **{"data/0": bytes(16)})
    assert checkpoint.read_checkpoint(good)["a"].tolist() == [0, 0, 0, 0]
    bad = zipped(tmp_path, tensor_pickle(offset, size, stride, count), **{"data/0": bytes(16)})
    with pytest.raises(PoseError):
        checkpoint.read_checkpoint(bad)


def test_a_few_bytes_cannot_claim_the_whole_memory(tmp_path):
    path = tmp_path / "huge.pth"
    heads = [
        pickle.dumps(value, protocol=2) for value in (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})
    ]
    path.write_bytes(
        b"".join(heads) + tensor_pickle(0, (4,), (1,), count=2**50) + pickle.dumps(["0"], protocol=2)
    )
    with pytest.raises(PoseError, match="cut short"):
        checkpoint.read_checkpoint(path)


def test_lists_that_share_a_part_still_share_it_so_that_nesting_cannot_multiply(save):
    part = [1, 2]
    read = checkpoint.read_checkpoint(save({"a": [part, part], "b": part}))
    assert read["a"][0] is read["a"][1] is read["b"]


def test_a_list_inside_itself_is_refused(save):
    content = {"a": []}
    content["a"].append(content["a"])
    with pytest.raises(PoseError, match="nested too deeply"):
        checkpoint.read_checkpoint(save(content))


def test_a_storage_that_is_shorter_than_its_tensor_says_is_named(tmp_path):
    path = zipped(tmp_path, tensor_pickle(0, (4,), (1,)), **{"data/0": bytes(15)})
    with pytest.raises(PoseError, match="not as long as its tensors say"):
        checkpoint.read_checkpoint(path)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not weights",
        b"\x80\x02.",
        b"\xff\xd8\xff\xe0" + bytes(99),
        b"PK\x03\x04" + bytes(40),
        os.urandom(200),
    ],
)
def test_a_file_that_holds_no_weights_is_refused_in_a_sentence(tmp_path, content):
    path = tmp_path / "x.pth"
    path.write_bytes(content)
    with pytest.raises(PoseError, match=r"x\.pth") as caught:
        checkpoint.read_checkpoint(path)
    assert caught.value.exit_code == 2


def test_an_ordinary_zip_file_is_refused(tmp_path):
    path = tmp_path / "x.pth"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("holiday.txt", "sun")
    with pytest.raises(PoseError, match=r"not torch\.save's"):
        checkpoint.read_checkpoint(path)


def test_a_file_that_is_cut_short_anywhere_is_refused(save):
    path = save({"a": torch.ones(50), "b": torch.ones(9, dtype=torch.int64)})
    whole = path.read_bytes()
    for length in range(0, len(whole), 37):
        path.write_bytes(whole[:length])
        with pytest.raises(PoseError, match=r"weights\.pth"):
            checkpoint.read_checkpoint(path)


def test_a_zip_whose_bytes_were_changed_is_refused(tmp_path):
    path = tmp_path / "w.pth"
    torch.save({"a": torch.full((50,), 3.0)}, path)
    content = path.read_bytes()
    path.write_bytes(content.replace(struct.pack("<f", 3.0) * 3, struct.pack("<f", 4.0) * 3, 1))
    with pytest.raises(PoseError, match="damaged"):
        checkpoint.read_checkpoint(path)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(PoseError, match=r"there is no weights file .*none\.pth"):
        checkpoint.read_checkpoint(tmp_path / "none.pth")
    with pytest.raises(PoseError, match=f"{tmp_path.name} cannot be read: Is a directory"):
        checkpoint.read_checkpoint(tmp_path)


@pytest.mark.parametrize("content", [[1, 2], {}, {"state_dict": {}}, {"state_dict": 3}, {"a": 1}])
def test_data_that_is_no_state_dict_is_refused(save, content):
    with pytest.raises(PoseError):
        checkpoint.read_state(save(content))


# -- what fits -------------------------------------------------------------------------------------------


def test_weights_of_another_model_are_reported_by_name_with_counts(model, tmp_path):
    deeper = PoseResNet(34, 17, deconv_filters=(8, 8, 16)).state_dict()
    with pytest.raises(PoseError) as caught:
        checkpoint.load_strictly(model, deeper, tmp_path / "w.pth")
    # res34 has 236 entries, res18 140, and all of res18's names are among them.
    assert "96 left over (layer1.2.conv1.weight" in caught.value.message
    assert "of another shape (deconv_layers.6.weight (8, 16, 4, 4) for (8, 8, 4, 4)" in caught.value.message
    with pytest.raises(PoseError, match=r"96 missing \(layer1\.2\.conv1\.weight"):
        checkpoint.load_strictly(PoseResNet(34, 17, deconv_filters=(8, 8, 8)), model.state_dict(), tmp_path)


def test_a_refused_file_leaves_the_model_as_it_was(model, tmp_path):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    other = {name: value + 1 for name, value in before.items()}
    other.pop("final_layer.bias")
    with pytest.raises(PoseError, match=r"1 missing \(final_layer\.bias\)"):
        checkpoint.load_strictly(model, other, tmp_path)
    assert equal(before, dict(model.state_dict()))


def test_imagenet_weights_fill_the_backbone_and_their_classifier_is_left_aside(tmp_path):
    model = PoseResNet(18, 17, deconv_filters=(8, 8, 8))
    imagenet = {
        k: torch.ones_like(v)
        for k, v in model.state_dict().items()
        if k.startswith(("conv1", "bn1", "layer"))
    }
    imagenet = {
        k: v for k, v in imagenet.items() if not k.endswith("num_batches_tracked")
    }  # older than torch 0.4.1
    head = model.final_layer.weight.clone()
    fresh = checkpoint.load_backbone(model, {**imagenet, "fc.weight": torch.ones(1000, 512)}, tmp_path)
    assert model.layer4[1].conv2.weight.eq(1).all()
    assert torch.equal(model.final_layer.weight, head)
    assert {name.split(".")[0] for name in fresh} == {"deconv_layers", "final_layer"}


def test_pretrained_weights_for_another_number_of_joints_give_all_but_the_last_layer(tmp_path):
    theirs = PoseResNet(18, 17, deconv_filters=(8, 8, 8))
    ours = PoseResNet(18, 4, deconv_filters=(8, 8, 8))
    head = ours.final_layer.weight.clone()
    fresh = checkpoint.load_backbone(ours, theirs.state_dict(), tmp_path)
    assert fresh == ["final_layer.weight", "final_layer.bias"]
    assert torch.equal(ours.deconv_layers[6].weight, theirs.deconv_layers[6].weight)
    assert torch.equal(ours.final_layer.weight, head)


def test_pretrained_weights_of_another_network_are_an_error(model, tmp_path):
    with pytest.raises(PoseError, match="shapes differ"):
        checkpoint.load_backbone(PoseResNet(50, 17), model.state_dict(), tmp_path)
    with pytest.raises(PoseError, match="no weight of this network"):
        checkpoint.load_backbone(model, {"features.0.weight": torch.ones(1)}, tmp_path)


# -- writing ---------------------------------------------------------------------------------------------


def test_what_is_written_is_read_again_by_us_and_by_torch(tmp_path, model):
    path = tmp_path / "w.pth"
    checkpoint.write(path, model.state_dict())
    assert equal(checkpoint.read_state(path), dict(model.state_dict()))
    assert equal(dict(torch.load(path, map_location="cpu")), dict(model.state_dict()))
    assert [file.name for file in tmp_path.iterdir()] == ["w.pth"]


@pytest.mark.parametrize(
    "failure", [OSError(errno.ENOSPC, "No space left on device"), RuntimeError("unexpected pos")]
)
def test_a_full_disk_leaves_the_file_before_and_nothing_half_written(tmp_path, monkeypatch, failure):
    path = tmp_path / "w.pth"
    checkpoint.write(path, {"a": torch.ones(1)})

    def fill_the_disk(_content, partial):
        partial.write_bytes(b"half")
        raise failure

    monkeypatch.setattr(torch, "save", fill_the_disk)
    with pytest.raises(PoseError, match=r"w\.pth cannot be written") as caught:
        checkpoint.write(path, {"a": torch.zeros(1)})
    assert caught.value.exit_code == 1
    assert "--output DIR" in caught.value.hint
    assert [file.name for file in tmp_path.iterdir()] == ["w.pth"]
    assert checkpoint.read_state(path)["a"] == 1


def test_whoever_is_reading_the_file_before_keeps_it_whole(tmp_path):
    path = tmp_path / "w.pth"
    checkpoint.write(path, {"a": torch.ones(1)})
    before = path.read_bytes()
    with path.open("rb") as reader:
        checkpoint.write(path, {"a": torch.zeros(1)})
        assert reader.read() == before


def test_an_interruption_while_writing_leaves_nothing_half_written(tmp_path, monkeypatch):
    def interrupt(_content, partial):
        partial.write_bytes(b"half")
        raise KeyboardInterrupt

    monkeypatch.setattr(torch, "save", interrupt)
    with pytest.raises(KeyboardInterrupt):
        checkpoint.write(tmp_path / "w.pth", {})
    assert list(tmp_path.iterdir()) == []
