"""Trained models by folder, by name, or from the Hugging Face Hub, in its convention.

`posegraph.models.ForecastModel` has these functions as ``save_pretrained``, ``from_pretrained`` and ``push_to_hub``. A
folder that one of them wrote is an ordinary checkpoint with a model card. Folders and the weights of the library work
offline; only the Hub itself needs the package huggingface_hub, the extra ``hub``.

That package has a mixin class for this. It would write a ``config.json`` of its own, which cannot hold a skeleton or
say which model it is of, would drop what it does not know on saving again, and would be a base class of every model.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from posegraph import checkpoint, weights
from posegraph._support.checkpoint_files import CARD, CONFIG, WEIGHTS
from posegraph._support.checks import import_optional
from posegraph._support.files import replace_file
from posegraph.checkpoint.card import model_card
from posegraph.errors import CheckpointError

if TYPE_CHECKING:
    import torch

    from posegraph.models.base import ForecastModel

__all__ = ["from_pretrained", "push_to_hub", "save_pretrained"]

_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")


def save_pretrained(
    model: ForecastModel, folder: str | Path, *, dtype: torch.dtype | checkpoint.Precision | None = None
) -> Path:
    """Write a model to a folder, with a model card.

    Args:
        model: A model of a registered class.
        folder: Folder to write, made if it does not exist; a checkpoint there is replaced.
        dtype: Number type to round the weights to in the file; by default they stay as they are.

    Returns:
        The folder.

    Raises:
        CheckpointError: The model's class is not registered.
        ConfigError: ``dtype`` is not a type for weights.

    Examples:
        >>> import tempfile
        >>> from posegraph.checkpoint import hub
        >>> from posegraph import registry
        >>> model = registry.build("traj-gcn", skeleton="cmu", channels=8, num_blocks=1)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     again = hub.from_pretrained(hub.save_pretrained(model, folder))
        >>> type(again).__name__, again.skeleton.name
        ('TrajGCN', 'cmu')
    """
    folder = checkpoint.save_checkpoint(model, folder, dtype=dtype)
    replace_file(folder / CARD, lambda file: file.write(model_card(folder).encode()))
    return folder


def from_pretrained(
    reference: str | Path,
    *,
    device: torch.device | str = "cpu",
    revision: str | None = None,
    token: str | bool | None = None,
    cache_dir: str | Path | None = None,
    local_files_only: bool = False,
) -> ForecastModel:
    """Build a trained model, in evaluation mode and float32.

    Args:
        reference: A checkpoint or run folder; or one of `posegraph.weights.references`, as in
            ``"msrgcn-released/cmu"``; or a repository ``"OWNER/NAME"`` of the Hub. The first of these that exists.
        device: Where to put the model.
        revision: Branch, tag or commit of the repository.
        token: Access token of the Hub; by default the one that is logged in.
        cache_dir: Where the Hub's files are kept.
        local_files_only: Look for the repository among the files of earlier downloads only.

    Returns:
        The model, of the class that it was saved as.

    Raises:
        CheckpointError: There is nothing of this name, or it is no checkpoint or a damaged one.
        MissingDependencyError: The name can only be a repository, and huggingface_hub is not installed.
        UnknownNameError: The model's class is not registered; the package that registers it may not be installed.
    """
    if checkpoint.is_checkpoint(reference):
        return checkpoint.load(reference, device=device)
    if str(reference) in weights.references():
        return checkpoint.load(weights.folder(str(reference)), device=device)
    known = ", ".join(weights.references()) or "none"
    nothing = f"{reference}: neither a checkpoint folder nor weights that come with the library ({known})"
    if not isinstance(reference, str) or not _REPOSITORY.fullmatch(reference) or Path(reference).is_dir():
        raise CheckpointError(f"{nothing}. Pass one of these, or a repository OWNER/NAME of the Hugging Face Hub.")
    package = import_optional("huggingface_hub", extra="hub", purpose=f"{nothing}; to ask the Hugging Face Hub for it")
    with _answering(f"{nothing}, and the Hugging Face Hub gave no such repository"):
        folder = package.snapshot_download(
            reference,
            revision=revision,
            token=token,
            cache_dir=cache_dir,
            local_files_only=local_files_only,
            allow_patterns=[CONFIG, WEIGHTS, CARD],
        )
    return checkpoint.load(folder, device=device)


def push_to_hub(
    model: ForecastModel,
    repository: str,
    *,
    private: bool | None = None,
    branch: str | None = None,
    token: str | bool | None = None,
    message: str = "Upload model",
    dtype: torch.dtype | checkpoint.Precision | None = None,
) -> str:
    """Upload a model with its card to the Hugging Face Hub.

    Args:
        model: A model of a registered class.
        repository: Repository ``"OWNER/NAME"``, made if it does not exist.
        private: Whether a new repository is private; by default as the owner has it.
        branch: Branch to put it on, made if it does not exist; by default the main one.
        token: Access token of the Hub; by default the one that is logged in.
        message: Message of the commit.
        dtype: Number type to round the weights to in the file; by default they stay as they are.

    Returns:
        Address of the commit.

    Raises:
        MissingDependencyError: huggingface_hub is not installed.
        CheckpointError: The model's class is not registered, or the Hub refused or could not be reached.
        ConfigError: ``dtype`` is not a type for weights.
    """
    package = import_optional("huggingface_hub", extra="hub", purpose="push_to_hub")
    with tempfile.TemporaryDirectory() as folder:
        save_pretrained(model, folder, dtype=dtype)
        with _answering(f"{repository}: the upload to the Hugging Face Hub failed"):
            api = package.HfApi(token=token)
            name = api.create_repo(repository, private=private, exist_ok=True).repo_id
            if branch is not None:
                api.create_branch(name, branch=branch, exist_ok=True)
            commit = api.upload_folder(repo_id=name, folder_path=folder, commit_message=message, revision=branch)
    return str(commit.commit_url)


@contextmanager
def _answering(what: str) -> Generator[None]:
    try:
        yield
    except Exception as error:  # the package raises those of its HTTP client as well, which differ between versions
        raise CheckpointError(
            f"{what}: {type(error).__name__}: {str(error).strip()} Check name, network and token."
        ) from error
