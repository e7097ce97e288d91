"""One training or test sample per person: decode, augment, crop; uint8 out, no torch maths.

Normalisation and targets happen later, on whole batches on the device (targets.py). Every random draw
depends on (seed, epoch, index) alone, so that neither the number of workers nor an interruption
changes what is learnt.
"""

from __future__ import annotations

import signal
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch.utils.data import Dataset, default_collate

from pose.data import archive
from pose.data.crop import affine_matrix, map_points, require_fixed_point_warp, scale_of, warp
from pose.data.joints import COCO, Joints
from pose.data.record import Record
from pose.errors import PoseError

HALF_BODY_PADDING = 1.5  # half bodies keep more of their surroundings than whole ones (1.25)
# EXIF orientation is ignored: COCO's annotations belong to the pixels as they are stored.
READ_FLAGS = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION


class CropDataset(Dataset):
    """Crops of `image_size` (height, width), one per record."""

    def __init__(  # noqa: PLR0913 - one argument per config key
        self,
        records: Sequence[Record],
        image_size: tuple[int, int],
        *,
        training: bool,
        joints: Joints = COCO,
        flip: bool = True,
        scale_factor: float = 0.3,
        rotation_factor: float = 40,
        half_body_probability: float = 0.0,
        half_body_min_joints: int = 8,
        rgb: bool = False,
        seed: int = 0,
        picture_cache_mib: int = 256,
    ) -> None:
        """The augmentation arguments only matter when `training`; `rgb` turns OpenCV's BGR around."""
        require_fixed_point_warp()
        self.records = records
        self.image_size = image_size
        self.training = training
        self.joints = joints
        self.flip = flip
        self.scale_factor = scale_factor
        self.rotation_factor = rotation_factor
        self.half_body_probability = half_body_probability
        self.half_body_min_joints = half_body_min_joints
        self.rgb = rgb
        self.seed = seed
        self.epoch = 0
        self.pictures = PictureCache(picture_cache_mib)

    def __len__(self) -> int:
        return len(self.records)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch whose augmentation is drawn; call it before a loader's workers start."""
        self.epoch = epoch

    def __getitem__(self, index: int) -> dict[str, Any]:
        """The crop, uint8 (H, W, 3); `joints` float64 (K, 2) in its pixels; `visible` (K,); whose it is."""
        record = self.records[index]
        image = self.pictures.read(record.path)
        if self.rgb:
            image = cv2.cvtColor(image, cv2.COLOR_BGR2RGB)
        joints, visible = record.joints, record.visible
        center, scale, rotation = record.center, record.scale, 0.0
        if self.training:
            draw = np.random.default_rng((self.seed, self.epoch, index))
            center, scale = self._half_body(draw, record)
            wobble = 1 + draw.standard_normal() * self.scale_factor
            scale = scale * np.float32(np.clip(wobble, 1 - self.scale_factor, 1 + self.scale_factor))
            if draw.random() <= 0.6:
                turn = draw.standard_normal() * self.rotation_factor
                rotation = float(np.clip(turn, -2 * self.rotation_factor, 2 * self.rotation_factor))
            if self.flip and draw.random() <= 0.5:
                image = cv2.flip(image, 1)
                joints, visible, center = mirror(
                    joints, visible, center, image.shape[1], self.joints.flip_pairs
                )
        matrix = affine_matrix(center, scale, rotation, self.image_size)
        mapped = np.where(visible[:, None] > 0, map_points(joints, matrix), joints)
        return {
            "image": warp(image, matrix, self.image_size),
            "joints": mapped,
            "visible": visible,
            # A batch takes one kind of number, and mirrors and half bodies are computed in float32.
            "center": center.astype(record.center.dtype),
            "scale": scale.astype(record.scale.dtype),
            "score": np.float32(record.score),
            "index": index,
        }

    def _half_body(
        self, draw: np.random.Generator, record: Record
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Centre and scale of the person, or now and then of the upper or lower half alone."""
        whole = record.center, record.scale
        if not self.joints.upper_body:
            return whole
        # The first draw is taken whenever there are joints enough, whatever the probability.
        if record.visible.sum() <= self.half_body_min_joints or draw.random() >= self.half_body_probability:
            return whole
        # A normal, not a uniform number: the upper half wins 69 times in 100, as upstream.
        upper_wanted = draw.standard_normal() < 0.5
        half = half_body(
            record.joints,
            record.visible,
            self.image_size,
            upper_wanted=upper_wanted,
            upper_body=self.joints.upper_body,
        )
        return half or whole


class PictureCache:
    """Decoded pictures, the least recently used dropped beyond `limit_mib`. One per process."""

    def __init__(self, limit_mib: int) -> None:
        self.limit = limit_mib * 2**20
        self.size = 0
        self.pictures: OrderedDict[Path, NDArray[np.uint8]] = OrderedDict()

    def read(self, path: Path) -> NDArray[np.uint8]:
        """The decoded BGR picture (H, W, 3); it belongs to the cache and must not be written to."""
        if path in self.pictures:
            self.pictures.move_to_end(path)
            return self.pictures[path]
        picture = read_picture(path)
        self.pictures[path] = picture
        self.size += picture.nbytes
        while self.size > self.limit and len(self.pictures) > 1:
            self.size -= self.pictures.popitem(last=False)[1].nbytes
        return picture

    def __getstate__(self) -> dict[str, Any]:
        """Workers that are spawned start with an empty cache instead of a copy of ours."""
        return {"limit": self.limit, "size": 0, "pictures": OrderedDict()}


def read_picture(path: Path, *, upright: bool = False) -> NDArray[np.uint8]:
    """The decoded BGR picture (H, W, 3), or a PoseError that names the file.

    As it is stored, which annotations refer to; `upright` turns it as its EXIF orientation says.
    """
    try:
        zipped = archive.split(path) is not None
        encoded = np.frombuffer(archive.read(path), np.uint8) if zipped else np.fromfile(path, dtype=np.uint8)
    except OSError as error:
        raise PoseError(f"cannot read picture {path}: {error.strerror}") from error
    if _is_truncated_jpeg(encoded):
        raise PoseError(f"picture {path} is cut off: its JPEG data has no end", hint="fetch it again")
    flags = cv2.IMREAD_COLOR if upright else READ_FLAGS
    picture = cv2.imdecode(encoded, flags) if encoded.size else None
    if picture is None:
        raise PoseError(f"picture {path} cannot be decoded", hint="is it a whole JPEG or PNG file?")
    return picture


def _is_truncated_jpeg(encoded: NDArray[np.uint8]) -> bool:
    """True for a JPEG without its end marker: OpenCV would fill the rest with grey and say nothing.

    Some cameras append bytes after the marker, so it is looked for in the whole file; a thumbnail's
    own marker inside the EXIF header does not count.
    """
    data = encoded.tobytes()
    if not data.startswith(b"\xff\xd8"):
        return False
    scan = data.rfind(b"\xff\xda")  # the last start of scan: what follows it is entropy-coded
    return data.find(b"\xff\xd9", max(scan, 0)) < 0


def mirror(
    joints: NDArray[np.float64],
    visible: NDArray[np.float32],
    center: NDArray[np.float32],
    width: int,
    flip_pairs: Sequence[tuple[int, int]] = COCO.flip_pairs,
) -> tuple[NDArray[np.float64], NDArray[np.float32], NDArray[np.float32]]:
    """The person in the mirrored picture: left and right change names, unlabelled joints become 0."""
    order = np.arange(len(joints))
    for left, right in flip_pairs:
        order[left], order[right] = right, left
    joints, visible = joints[order], visible[order]
    joints = np.stack([width - joints[:, 0] - 1, joints[:, 1]], axis=1) * visible[:, None]
    return joints, visible, np.array([width - center[0] - 1, center[1]], dtype=np.float32)


def half_body(
    joints: NDArray[np.float64],
    visible: NDArray[np.float32],
    image_size: tuple[int, int],
    *,
    upper_wanted: bool,
    upper_body: Sequence[int] = COCO.upper_body,
) -> tuple[NDArray[np.float32], NDArray[np.float32]] | None:
    """Centre and scale around the upper or lower half's labelled joints; None with fewer than two."""
    is_upper = np.isin(np.arange(len(joints)), upper_body)
    upper, lower = joints[(visible > 0) & is_upper], joints[(visible > 0) & ~is_upper]
    chosen = upper if (upper_wanted and len(upper) > 2) or len(lower) <= 2 else lower
    if len(chosen) < 2:
        return None
    chosen = chosen.astype(np.float32)
    width, height = (float(side) for side in chosen.max(axis=0) - chosen.min(axis=0))
    return chosen.mean(axis=0), scale_of(width, height, image_size) * np.float32(HALF_BODY_PADDING)


class Failed:
    """A PoseError on its way from a loader's worker to the main process.

    Raised there, torch would wrap it into a traceback as text; carried as a value it arrives whole.
    """

    def __init__(self, index: int, error: PoseError) -> None:
        self.index = index
        self.error = error


class _Carrying(Dataset):
    """A CropDataset whose failures are values."""

    def __init__(self, dataset: CropDataset) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> dict[str, Any] | Failed:
        try:
            return self.dataset[index]
        except PoseError as error:
            return Failed(index, error)


def _collate(items: list[Any]) -> tuple[dict[str, torch.Tensor] | None, list[Failed]]:
    failed = [item for item in items if isinstance(item, Failed)]
    whole = [item for item in items if not isinstance(item, Failed)]
    return default_collate(whole) if whole else None, failed


def _start_worker(_worker: int) -> None:
    # One worker is one core: OpenCV's own threads would only fight with the other workers.
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    # A signal to all processes, as a terminal or Slurm sends it, is for the parent alone, which wants the
    # batch at hand first. A worker notices when its parent is gone.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


def batches(
    dataset: CropDataset,
    batch_size: int,
    *,
    order: Sequence[int] | None = None,
    part: Callable[[int], range] = range,
    workers: int = 0,
    pin_memory: bool = False,
    unreadable: dict[int, PoseError] | None = None,
) -> Batches:
    """The dataset in batches of dicts of tensors, `order` (default: as it is) indexing the records.

    The last, short batch is kept. `part` names the places of a batch of so many that are wanted (default:
    all); where it names none, the first is there, as a batch cannot be empty. A picture that cannot be read
    stops the walk with the PoseError that names it; with `unreadable` the walk goes on without, and the
    record's index and error are put there.
    """
    order = range(len(dataset)) if order is None else order
    whole = [order[start : start + batch_size] for start in range(0, len(order), batch_size)]
    loader = torch.utils.data.DataLoader(
        _Carrying(dataset),
        batch_sampler=[[batch[place] for place in part(len(batch)) or (0,)] for batch in whole],
        num_workers=workers,
        pin_memory=pin_memory,
        collate_fn=_collate,
        worker_init_fn=_start_worker,
        generator=torch.Generator().manual_seed(dataset.seed),  # or it would draw from the network's
    )
    return Batches(loader, unreadable)


class Batches:
    """An iterable with a length: what a training or test loop walks over."""

    def __init__(
        self, loader: torch.utils.data.DataLoader, unreadable: dict[int, PoseError] | None = None
    ) -> None:
        self.loader = loader
        self.unreadable = unreadable

    def __len__(self) -> int:
        return len(self.loader)

    def __iter__(self) -> Iterator[dict[str, torch.Tensor]]:
        for batch, failed in self.loader:
            for one in failed:
                if self.unreadable is None:
                    raise one.error
                self.unreadable[one.index] = one.error
            if batch is not None:
                yield batch


def shuffled(count: int, seed: int, epoch: int) -> list[int]:
    """The order of `count` samples in one epoch, a function of (seed, epoch) alone."""
    return np.random.default_rng((seed, epoch)).permutation(count).tolist()
