"""Models with a card, for a folder to hand on or a repository of the Hugging Face Hub; `load` reads both.

What is written is an ordinary checkpoint with ``README.md``. Only the upload needs the package huggingface_hub, the
extra ``hub``. That package has a mixin class for this. It would write a ``config.json`` of its own, which cannot hold a
skeleton or say which model it is of, would drop what it does not know on saving again, and would be a base class of
every model.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import torch

from posegraph._support.checkpoint_files import CARD
from posegraph._support.checks import import_optional
from posegraph._support.device import Precision
from posegraph._support.files import replace_file
from posegraph.checkpoint.card import model_card
from posegraph.checkpoint.store import save_checkpoint
from posegraph.errors import CheckpointError
from posegraph.models.base import ForecastModel

__all__ = ["push_to_hub", "save_pretrained"]


def save_pretrained(model: ForecastModel, folder: str | Path, *, dtype: torch.dtype | Precision | None = None) -> Path:
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
        >>> from posegraph import checkpoint, registry
        >>> model = registry.build("traj-gcn", skeleton="cmu", channels=8, num_blocks=1)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     again = checkpoint.load(checkpoint.save_pretrained(model, folder))
        >>> type(again).__name__, again.skeleton.name
        ('TrajGCN', 'cmu')
    """
    folder = save_checkpoint(model, folder, dtype=dtype)
    replace_file(folder / CARD, lambda file: file.write(model_card(folder).encode()))
    return folder


def push_to_hub(
    model: ForecastModel,
    repository: str,
    *,
    private: bool | None = None,
    branch: str | None = None,
    token: str | bool | None = None,
    message: str = "Upload model",
    dtype: torch.dtype | Precision | None = None,
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
        try:
            api = package.HfApi(token=token)
            name = api.create_repo(repository, private=private, exist_ok=True).repo_id
            if branch is not None:
                api.create_branch(name, branch=branch, exist_ok=True)
            commit = api.upload_folder(repo_id=name, folder_path=folder, commit_message=message, revision=branch)
        except Exception as error:  # the package raises those of its HTTP client as well, which differ between versions
            raise CheckpointError(
                f"{repository}: the upload to the Hugging Face Hub failed: {type(error).__name__}: "
                f"{' '.join(str(error).split())} Check name, network and token."
            ) from error
    return str(commit.commit_url)
