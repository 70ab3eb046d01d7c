"""Training: the authors' recipes, held-out validation, interruption and resumption, mixed precision, many processes."""

from posegraph.training.loop import Precision, TrainingResult, seed_everything, train

__all__ = ["Precision", "TrainingResult", "seed_everything", "train"]
