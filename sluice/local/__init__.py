"""A Kubernetes, a toolchain, images and a stub provider for a machine that has none."""
