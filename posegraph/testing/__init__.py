"""The contract of a model as checks, for authors of plugins."""

from posegraph.testing.contract import CONTRACT_CHECKS, Check, check_model

__all__ = ["CONTRACT_CHECKS", "Check", "check_model"]
