"""The images that a repository's containers start from, on this machine's processor and driver."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from envcheck.choice.gpus import narrow
from envcheck.compat.rules.base_image import base_image
from envcheck.compat.verdict import Reason, Verdict, join
from envcheck.doctor.check import Case, Check, ok, skip, unknown
from envcheck.doctor.checks.judged import NO_PROJECT
from envcheck.doctor.finding import Finding, Fix
from envcheck.doctor.project.facts import Project
from envcheck.doctor.project.meant import torches
from envcheck.host.facts import Host

# As engines say it -> as uname does. Docker's official images for one processor have it for an owner:
# arm64v8/python, ppc64le/ubuntu.
_MACHINES = {
    "amd64": "x86_64",
    "arm64": "aarch64",
    "arm64v8": "aarch64",
    "arm": "armv7l",
    "arm32v7": "armv7l",
    "ppc64le": "ppc64le",
    "s390x": "s390x",
    "riscv64": "riscv64",
}
_PLATFORM = re.compile(r"--platform=(?:linux/)?(\w+)")
_JETSON = re.compile(r"(?:^|/)(?:l4t-|dustynv/)")

# These ask nothing of a driver (general knowledge): distributions, Pythons, PyTorch's own without nvcc.
_PLAIN = re.compile(
    r"(?:(?:docker\.io/)?(?:library/)?"
    r"(?:python|ubuntu|debian|fedora|alpine|archlinux|rockylinux|almalinux|centos|amazonlinux|busybox)"
    r"|(?:[\w.-]+/)*(?:miniconda3?|anaconda3|miniforge3?|mambaforge|micromamba|uv)"
    r"|pytorch/pytorch(?=:.*-runtime))(?::[\w.-]+)?(?:@.*)?"
)
_FOR_GPUS = re.compile(r"cuda|nvidia|nvcr\.io|gpu|torch|tensorflow|rapids", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class _Image:
    name: str
    line: str  # where it is named
    platform: str  # "arm64"; empty: not said
    is_for_gpus: bool  # its containers are there to work with them


class BaseImageStarts(Check):
    """An image for another processor, or one that the driver is too old for: its container does not start."""

    id = "project.base-image"
    title = "Containers start here from the repository's base images"
    needs = "project"

    def look(self, case: Case) -> Finding:
        """Look at the image of each Dockerfile's last stage, and of each service."""
        if case.project is None:
            return skip(self, NO_PROJECT)
        judged = [(one, _reason(case.host, one)) for one in _images(case.project, case.host)]
        if not judged:
            return skip(self, "The repository starts no container.")
        refused = [(image, reason) for image, reason in judged if reason.verdict == "refused"]
        if refused:
            remedy = next((reason.remedy for _, reason in refused if reason.remedy), _OTHER_IMAGE)
            return Finding(
                self.id,
                "error",
                "Containers of the repository do not start here",
                tuple(line for image, reason in refused for line in (image.line, reason.because)),
                "An image is made for one processor, and NVIDIA's runtime keeps out drivers that are older"
                " than the image's CUDA.",
                Fix(remedy, ("envcheck run ...", "envcheck exec -- ...")),
                "https://docs.nvidia.com/datacenter/cloud-native/container-toolkit/",
            )
        open_questions = [(image, reason) for image, reason in judged if reason.verdict == "unknown"]
        if open_questions:
            (first, why), *others = open_questions
            rest = (line for image, reason in others for line in (image.line, reason.because))
            return unknown(self, why.because, first.line, *rest)
        return ok(self, *(image.line for image, _ in judged))


_OTHER_IMAGE = "Start from an image for this machine; recipes have one of their own."


def _images(project: Project, host: Host) -> Iterator[_Image]:
    with_torch = {one.listing.file for one in torches(project, host)}
    for listing in project.listings:
        for said in listing.said:
            if said.by == "base" and said.wishes.base_image:
                found = _PLATFORM.search(said.line)
                platform = found[1] if found else ""
                yield _Image(said.wishes.base_image, said.line, platform, listing.file in with_torch)
    for service in project.services:
        if service.image and not service.dockerfile:
            platform = service.platform.rpartition("linux/")[2].partition("/")[0]
            line = f"{service.place}: {service.image}"
            yield _Image(service.image, line, platform, service.gpus is not False)


def _reason(host: Host, image: _Image) -> Reason:
    """Return what decides about an image: its processor first, then what it asks of the driver."""
    if "$" in image.name:
        return _because("unknown", f"{image.name}: which image that is, a variable decides.")
    made_for, machine = _machine(image), host.os.machine
    if made_for not in (None, machine):
        here = f"this machine is {machine}" if machine else "`os.machine` is not known"
        return _because("refused" if machine else "unknown", f"{image.name} is for {made_for}, and {here}.")
    if _JETSON.search(image.name) and not host.os.jetson:
        return _because("refused", f"{image.name} is for Jetson, and this machine is none.")
    return _of_the_driver(host, image)


def _of_the_driver(host: Host, image: _Image) -> Reason:
    if host.gpus == ():
        return _because("fits", "There is no GPU to hand over, so nothing is asked of a driver.")
    if reasons := base_image(narrow(host, None), image.name):
        return next(one for one in reasons if one.verdict == join(reasons))
    if _PLAIN.fullmatch(image.name) or not (image.is_for_gpus or _FOR_GPUS.search(image.name)):
        return _because("fits", f"{image.name} asks nothing of a driver.")
    return _because("unknown", f"What {image.name} asks of a driver is not known here.")


def _because(verdict: Verdict, because: str) -> Reason:
    return Reason("image", verdict, because)


def _machine(image: _Image) -> str | None:
    """Return the processor that an image is named for, None where it is not."""
    owner = image.name.split("/")[0] if "/" in image.name else ""
    return _MACHINES.get(image.platform) or _MACHINES.get(owner)
