"""Things by name: built-in ones, those that a program registers, and those of installed plugins.

Models, skeletons, data sets and file formats are found in the same way, by one `Registry` each.
"""

from __future__ import annotations

import fnmatch
import importlib
import pkgutil
import threading
import warnings
from importlib.metadata import EntryPoint, entry_points
from typing import Generic, TypeVar

from posegraph.errors import ConfigError, PluginWarning, UnknownNameError

S = TypeVar("S")


class Registry(Generic[S]):
    """Specs by name.

    The modules of a package register the built-in ones, and an entry-point group names the modules of plugins. Both are
    imported once, when a name is first asked for that is not known. A plugin that cannot be imported is left out, with
    one warning.

    Args:
        kind: What a name stands for, for messages, as in "model".
        group: Entry-point group of plugins.
        package: Package whose modules register the built-in ones.
    """

    def __init__(self, kind: str, *, group: str, package: str) -> None:
        self.kind, self.group, self.package = kind, group, package
        self._specs: dict[str, S] = {}
        self._owners: dict[str, str] = {}
        self._loaded = False
        self._lock = threading.RLock()

    def add(self, name: str, spec: S, *, owner: str) -> None:
        """Register a spec.

        Args:
            name: Its name.
            spec: What is known under it.
            owner: Module that registers it, for messages.

        Raises:
            ConfigError: The name is taken.
        """
        with self._lock:
            if name in self._specs:
                raise ConfigError(
                    f"{self.kind} {name!r} is registered already, by {self._owners[name]}. Choose another name."
                )
            self._specs[name], self._owners[name] = spec, owner

    def remove(self, name: str) -> None:
        """Remove a spec; raises `UnknownNameError` if there is none of this name."""
        self.get(name)
        del self._specs[name], self._owners[name]

    def get(self, name: str) -> S:
        """The spec of a name; raises `UnknownNameError`, which lists all names and the nearest, if there is none."""
        if name not in self._specs:
            self._load()
        if name not in self._specs:
            raise UnknownNameError(self.kind, name, sorted(self._specs))
        return self._specs[name]

    def names(self, pattern: str = "*") -> list[str]:
        """All names that match a shell-style pattern, sorted."""
        self._load()
        return sorted(fnmatch.filter(self._specs, pattern))

    def _load(self) -> None:
        with self._lock:
            if self._loaded:
                return
            self._loaded = True
            package = importlib.import_module(self.package)
            for module in pkgutil.iter_modules(package.__path__, f"{self.package}."):
                importlib.import_module(module.name)
            for entry in entry_points(group=self.group):
                self._load_plugin(entry)

    def _load_plugin(self, entry: EntryPoint) -> None:
        before = dict(self._specs), dict(self._owners)
        try:
            entry.load()
        except Exception as error:  # whatever a plugin does wrong must not break the library
            self._specs, self._owners = before
            owner = entry.dist.name if entry.dist is not None else "an unknown distribution"
            warnings.warn(
                f"the {self.kind} plugin {entry.name!r} of {owner} could not be loaded and is left out: "
                f"{type(error).__name__}: {error}. Update or remove {owner}.",
                PluginWarning,
                stacklevel=5,
            )
