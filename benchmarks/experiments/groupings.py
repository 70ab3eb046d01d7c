"""How steady the coarse joints of a grouping are: their mean speed on CMU Mocap, in mm a frame.

Coarser scales help because the mean of joints moves more evenly than each of them. So the mean speed of the coarse
joints at each scale says what a grouping is worth before any network is trained. Automatic groupings are derived from
the training clips (stability) or the rest pose (length), all are measured on the test clips.

Run ``python -m benchmarks.experiments.groupings [FOLDER]``; without a folder of the benchmark's files it takes the
samples that the package brings.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

import torch

from posegraph import data
from posegraph.data.dataset import MotionDataset
from posegraph.layers import JointPool
from posegraph.skeleton import JointGrouping, Skeleton, automatic_groupings, random_groupings

SEEDS = range(20)


def speeds(levels: Sequence[JointGrouping], clips: Sequence[torch.Tensor]) -> list[float]:
    """Mean speed of the joints of each coarser scale over the frames of all clips."""
    totals, frames = [0.0] * len(levels), 0
    for clip in clips:
        poses, frames = clip, frames + len(clip) - 1
        for i, level in enumerate(levels):
            poses = JointPool(level)(poses)
            totals[i] += float(poses.diff(dim=0).norm(dim=-1).mean(dim=-1).sum())
    return [total / frames for total in totals]


def candidates(skeleton: Skeleton, train: Sequence[torch.Tensor]) -> dict[str, list[tuple[JointGrouping, ...]]]:
    """Groupings of the sizes of the hand-made one; several of the random kind."""
    hand_made = skeleton.scales(4)
    sizes = [level.num_groups for level in hand_made]
    used = skeleton.reduced
    rest = skeleton.rest_pose()[list(skeleton.used)]
    motion = torch.cat(list(train))
    return {
        "hand-made": [hand_made],
        "by length": [automatic_groupings(used.parents, sizes=sizes, poses=rest, mirror=used.mirror)],
        "by stability": [
            automatic_groupings(used.parents, sizes=sizes, by="stability", poses=motion, mirror=used.mirror)
        ],
        f"random, mean of {len(SEEDS)}": [random_groupings(used.num_joints, sizes, seed=seed) for seed in SEEDS],
    }


def table(dataset: MotionDataset) -> str:
    """The table in Markdown."""
    skeleton = dataset.skeleton
    train, test = ([skeleton.reduce(clip.poses) for clip in dataset.select(split)] for split in ("train", "test"))
    sizes = [level.num_groups for level in skeleton.scales(4)]
    lines = [f"| grouping | {' | '.join(f'{size} joints' for size in sizes)} |", "|---|" + "--:|" * len(sizes)]
    for name, groupings in candidates(skeleton, train).items():
        measured = torch.tensor([speeds(levels, test) for levels in groupings]).mean(dim=0)
        lines.append(f"| {name} | {' | '.join(f'{speed:.2f}' for speed in measured.tolist())} |")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(data.load("cmu", sys.argv[1] if len(sys.argv) > 1 else "samples")))
