"""`python -m release VERSION`, which `make release VERSION=...` runs."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import click

from release.making import Release, make_release
from sluice.errors import SluiceError
from sluice.local import images
from sluice.local.folders import cache_folder
from sluice.progress import Progress

_CHECKOUT = Path(__file__).resolve().parent.parent


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("version")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=_CHECKOUT / "dist",
    help="Where the folder VERSION is made; by default dist.",
)
@click.option("--litellm/--no-litellm", default=True, help="LiteLLM's image takes minutes the first time.")
def release(version: str, out: Path, litellm: bool) -> None:
    """Make a release of the commit that this checkout stands on: OUT/VERSION, with all that docs/release.md lists."""

    def build(files: Path, progress: Progress) -> tuple[images.Image, ...]:
        built = images.build(files, cache_folder(), progress)
        if litellm:
            built = replace(built, litellm=images.build_litellm(files, cache_folder(), progress))
        return built.all()

    try:
        show(make_release(_CHECKOUT, version, out, build, Progress()))
    except SluiceError as error:
        click.echo(f"release: {error}", err=True)
        sys.exit(error.exit_code)
    except OSError as error:
        click.echo(f"release: {error.filename or out}: {error.strerror or error}", err=True)
        sys.exit(3)


def show(made: Release) -> None:
    """Print what was made: each file with its size, and the digest by which an image is named."""
    click.echo(f"sluice {made.source.version} of commit {made.source.commit} in {made.folder}\n")
    width = max(len(file.name) for file in made.files)
    for file in made.files:
        shown = file.digest or f"sha256 {file.sha256[:16]}..."
        click.echo(f"{file.name:{width}}  {file.size_bytes / 1e6:8.2f} MB  {shown}")
    click.echo(f"\nall sums: {made.folder}/SHA256SUMS; what to do with it: docs/release.md")


if __name__ == "__main__":
    release()
