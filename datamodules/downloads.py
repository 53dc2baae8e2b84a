"""Where public mirrors are, and how a local copy comes about: resumed, verified, and never without being asked."""

from dataclasses import dataclass
from pathlib import Path

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
    if not missing(place):
        return place
    from huggingface_hub import HfApi, snapshot_download
    from huggingface_hub.errors import GatedRepoError

    try:
        # Asked first, because a download retries for minutes where there is no network.
        HfApi().dataset_info(source.name, revision=source.revision, timeout=5)
        print(f"fetching {source.name} at {source.revision[:7]}, about {source.bytes / 1e9:.0f} GB, into {place}")
        snapshot_download(source.name, repo_type="dataset", revision=source.revision, local_dir=folder)
    except GatedRepoError as error:
        raise ConnectionError(
            f"{source.name} asks for an agreement: accept it at https://huggingface.co/datasets/{source.name} and log "
            "in with: hf auth login"
        ) from error
    except Exception as error:  # huggingface_hub changes its HTTP library, and with it what a failure is called
        raise ConnectionError(
            f"{place} lacks {missing(place)}, and {source.name} cannot be fetched "
            f"({(str(error).splitlines() or [type(error).__name__])[0]}); where there is a network: "
            f"hf download {source.name} --repo-type dataset --revision {source.revision}; then copy the folder here "
            "and name it with --data.root"
        ) from error
    return place


def missing(root: Path) -> str:
    """What a copy of a repository lacks, in words; empty where it is complete."""
    if not hub.is_repository(root):
        return "everything"
    repository = hub.Repository(root=root)
    recordings = repository.recordings
    if repository.stated is not None and len(recordings) < repository.stated:
        return f"{repository.stated - len(recordings)} of {repository.stated} recordings"
    for recording in recordings:
        if not recording.table_file.is_file():
            return f"{recording.table_file}"
        if absent := recording.array.absent:
            return f"{absent} blocks of {recording.folder.name}"
    return ""
