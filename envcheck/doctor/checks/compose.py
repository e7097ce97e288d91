"""The services of a repository's compose files: are they given the GPUs, and memory to share."""

from __future__ import annotations

import re

from envcheck.doctor.check import Case, Check, ok, skip, unknown
from envcheck.doctor.checks.judged import NO_PROJECT
from envcheck.doctor.finding import Finding, Fix
from envcheck.doctor.project.facts import Project, Service
from envcheck.doctor.project.meant import torches
from envcheck.host.facts import Host

_NO_SERVICE = "The repository has no service that works with torch or CUDA."
_CUDA_IMAGE = re.compile(r"(?:.*/)?(?:nvidia/(?:cuda|pytorch)|pytorch/pytorch)[:@].*|nvcr\.io/.*")
_GUIDE = "https://docs.docker.com/compose/how-tos/gpu-support/"
_HAND_OVER = Fix(
    "Let the service reserve them: `gpus: all`, or before Compose 2.30 deploy.resources.reservations.devices"
    " with driver nvidia, count all, capabilities [gpu]."
)


class ServiceGpus(Check):
    """A service that works with CUDA and is given no GPU, or one that asks for what is not here."""

    id = "project.compose-gpu"
    title = "Services that work with CUDA are given the GPUs, and there are some"
    needs = "project"
    caused_by = (
        *("card.nouveau", "driver.present", "driver.loaded", "driver.library", "driver.answers"),
        *("container.runtime", "container.toolkit-missing"),
    )

    def look(self, case: Case) -> Finding:
        """Hold what each service asks for against what it works with, and against the machine."""
        if case.project is None:
            return skip(self, NO_PROJECT)
        asking = [one for one in case.project.services if one.gpus]
        working = _working_with_cuda(case.project, case.host)
        if not asking and not working:
            return skip(self, _NO_SERVICE)
        if asking and (why := _why_none(case.host, asking)):
            return Finding(
                self.id,
                "error",
                "Services ask for GPUs that this machine cannot give them",
                (*(one.place for one in asking), why),
                "The engine then does not start the service.",
                Fix("Take the request out where it runs without a GPU, or mend what keeps the GPUs away."),
                _GUIDE,
            )
        given = {one.name for one in asking}
        working = tuple(one for one in working if one.name not in given)
        if case.host.gpus is None or any(one.gpus is None for one in working):
            return unknown(self, _why_unknown(case.host, working), *(one.place for one in working))
        forgotten = [one for one in working if one.gpus is False]
        if forgotten and case.host.gpus:
            return Finding(
                self.id,
                "warn",
                "Services that work with CUDA are given no GPU",
                tuple(one.place for one in forgotten),
                "A container sees the GPUs that it is started with; without any, torch is on the CPU.",
                _HAND_OVER,
                _GUIDE,
            )
        return ok(self, *(one.place for one in (*asking, *forgotten)))


class ServiceSharedMemory(Check):
    """A service of torch's with the engine's 64 MB of /dev/shm, which the workers of a loader share."""

    id = "project.compose-shm"
    title = "Services that work with torch have shared memory for several workers"
    worst = "info"
    needs = "project"

    def look(self, case: Case) -> Finding:
        """Look for a size, or for the machine's own memory."""
        if case.project is None:
            return skip(self, NO_PROJECT)
        working = _working_with_cuda(case.project, case.host)
        if not working:
            return skip(self, _NO_SERVICE)
        given = {one.name for one in case.project.services if one.shares_memory}
        working = tuple(one for one in working if one.name not in given)
        small = [one for one in working if one.shares_memory is False]
        if small:
            return Finding(
                self.id,
                "info",
                "Services that work with torch have 64 MB of shared memory",
                tuple(one.place for one in small),
                "Workers of a DataLoader hand batches over in /dev/shm; a full one ends them by a bus error.",
                Fix("Give the service `shm_size: 8gb` or `ipc: host`, if it has several workers."),
            )
        if hidden := [one.place for one in working if one.shares_memory is None]:
            return unknown(self, "What the services extend is not read here.", *hidden)
        return ok(self, *(one.place for one in working))


def _working_with_cuda(project: Project, host: Host) -> tuple[Service, ...]:
    """Return the services that start from an image with CUDA, or bring a torch that has one."""
    with_cuda = {
        one.listing.file for one in torches(project, host) if any(build.cuda for build in one.builds)
    }
    with_cuda |= {
        listing.file
        for listing in project.listings
        if any(_CUDA_IMAGE.fullmatch(one.wishes.base_image or "") for one in listing.said)
    }
    return tuple(
        one for one in project.services if one.dockerfile in with_cuda or _CUDA_IMAGE.fullmatch(one.image)
    )


def _why_none(host: Host, asking: list[Service]) -> str:
    """Return why the machine gives no GPU to services that ask, "" where nothing speaks against it."""
    if host.gpus == ():
        return "There is no GPU on this machine."
    engines = host.engines or ()
    if engines and all(one.gpu_request == "none" for one in engines):
        return f"{', '.join(one.name for one in engines)}: hands no GPU over."
    runtimes = {name for one in engines for name in one.runtimes or ()}
    if runtimes and "nvidia" not in runtimes and any(one.runtime == "nvidia" for one in asking):
        return f"runtime: nvidia is not among {', '.join(sorted(runtimes))}."
    return ""


def _why_unknown(host: Host, working: tuple[Service, ...]) -> str:
    if any(one.gpus is None for one in working):
        return "What the services extend is not read here."
    return host.why("gpus")
