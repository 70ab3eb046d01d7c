"""Training: the authors' recipes, held-out validation, resumption, mixed precision, several processes or seeds."""

from posegraph.training.loop import train, train_seeds
from posegraph.training.options import Acceleration, Options
from posegraph.training.seeding import seed_everything
from posegraph.training.state import TrainingResult

__all__ = ["Acceleration", "Options", "TrainingResult", "seed_everything", "train", "train_seeds"]
