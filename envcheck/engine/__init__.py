"""The container engine: where it listens, its images, its containers, and what it says when it fails.

The owner of the Docker SDK, which speaks to docker and podman alike. Nothing here knows a recipe or a stage;
the SDK is imported by whoever is about to speak, as that takes 0.2 s.
"""
