"""Where public mirrors are, and how a local copy comes about: resumed, verified, and never without being asked."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from datamodules import hub


@dataclass(frozen=True, kw_only=True)
class HubSource:
    """A data repository of the Hugging Face Hub at one commit.

    Attributes:
        name: owner and repository.
        revision: commit.
        bytes: about how much it holds, for the message before the download.
    """

    name: str
    revision: str
    bytes: float

    @property
    def folder(self) -> Path:
        """Where huggingface_hub keeps this commit: its own cache, which other programs share."""
        from huggingface_hub import constants

        owner_and_name = self.name.replace("/", "--")
        return Path(constants.HF_HUB_CACHE) / f"datasets--{owner_and_name}" / "snapshots" / self.revision


# The revisions that Open EEG Bench (github.com/OpenEEG-Bench, 2 June 2026) evaluates on.
HUB_FACED = HubSource(name="braindecode/faced", revision="18c73355fc71c055e92828384da85bb49bc6e3c0", bytes=4e9)
HUB_SEEDV = HubSource(name="braindecode/seed-v", revision="b3498f4b045ade3093ecc646e2162057309479d3", bytes=6e9)


def downloaded(source: HubSource, folder: Path | None = None) -> Path:
    """A complete local copy; the network is asked only for what is missing.

    Args:
        source: repository and commit.
        folder: where the copy is; by default in huggingface_hub's cache.

    Raises:
        ConnectionError: something is missing and cannot be fetched; one line with what to do.
    """
    place = folder or source.folder
    if missing(place):
        print(f"fetching {source.name} at {source.revision[:7]}, about {source.bytes / 1e9:.0f} GB, into {place}")
        _fetch(source, place)
    return place


def verified(source: HubSource, place: Path) -> str:
    """Compare every file with the checksums of the hub, mend what differs, and say how many are right.

    Raises:
        ConnectionError: a damaged file cannot be fetched.
        ValueError: files differ again after they have been fetched anew.
    """
    for attempt in range(2):
        try:
            found = _compare(source, place)
        except Exception as error:  # huggingface_hub changes its HTTP library, and with it what a failure is called
            return f"the hub does not answer, so checksums were not compared ({type(error).__name__})"
        broken = [*(wrong["path"] for wrong in found.mismatches), *found.missing_paths]
        if not broken:
            return f"{found.checked_count} files have the checksums of {source.name} at {source.revision[:7]}"
        if attempt:
            raise ValueError(f"{place}: {len(broken)} files differ from the hub's, {broken[0]} first; run it again")
        print(f"{len(broken)} files are damaged or missing, {broken[0]} first; fetching them again")
        for wrong in found.mismatches:
            path = place / wrong["path"]
            path.resolve().unlink()  # what the cache's link leads to
            path.unlink(missing_ok=True)
        _fetch(source, place)
    raise AssertionError  # the loop has returned or raised


def missing(root: Path) -> str:
    """What a copy of a repository lacks, in words; empty where it is complete."""
    if not hub.is_repository(root):
        return "everything"
    try:
        repository = hub.Repository(root=root)
        recordings = repository.recordings
        if repository.stated is not None and len(recordings) < repository.stated:
            return f"{repository.stated - len(recordings)} of {repository.stated} recordings"
        absent = sum(recording.array.absent for recording in recordings)
    except ValueError as error:
        return f"a file ({error})"
    return f"{absent} blocks of signal" if absent else ""


def _fetch(source: HubSource, place: Path) -> None:
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import GatedRepoError

    folder = None if place == source.folder else place
    try:
        # Asked first, because a download retries for minutes where there is no network.
        HfApi().dataset_info(source.name, revision=source.revision, timeout=5)
        snapshot_download(source.name, repo_type="dataset", revision=source.revision, local_dir=folder)
    except GatedRepoError as error:
        raise ConnectionError(
            f"{source.name} asks for an agreement: accept it at https://huggingface.co/datasets/{source.name} and log "
            "in with: hf auth login"
        ) from error
    except Exception as error:  # see above
        reason = (str(error).splitlines() or [""])[0]
        raise ConnectionError(
            f"{place} lacks {missing(place) or 'files'}, and {source.name} cannot be fetched ({reason}); where there "
            f"is a network: hf download {source.name} --repo-type dataset --revision {source.revision} --local-dir "
            "FOLDER; then copy FOLDER here and name it with --data.root"
        ) from error


def _compare(source: HubSource, place: Path) -> Any:
    from huggingface_hub import HfApi

    folder = None if place == source.folder else place
    return HfApi().verify_repo_checksums(source.name, repo_type="dataset", revision=source.revision, local_dir=folder)
