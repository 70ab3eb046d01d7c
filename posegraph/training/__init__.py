"""Training: the authors' recipes, held-out validation, resumption, mixed precision, several processes or seeds."""

from posegraph.training.loop import train, train_seeds
from posegraph.training.run import TrainingResult
from posegraph.training.seeding import seed_everything
from posegraph.training.steps import Acceleration, Precision

__all__ = ["Acceleration", "Precision", "TrainingResult", "seed_everything", "train", "train_seeds"]
