"""``posegraph demo``: train, evaluate, draw, in a few minutes on the bundled clips."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from posegraph import checkpoint, evaluation, registry, training, weights
from posegraph._support.checks import import_optional
from posegraph.cli.options import progress_bar, read
from posegraph.errors import ConfigError
from posegraph.forecast.result import forecast_clip
from posegraph.recipe import Optimizer, Recipe, Sampling, Schedule

__all__ = ["demo"]

# Narrower than the paper's 256 channels and six blocks, and a larger learning rate, to learn within the time.
_SETTINGS: dict[str, Any] = {"channels": 64, "num_blocks": 2}
_RECIPE = Recipe(
    optimizer=Optimizer(learning_rate=1e-3),
    schedule=Schedule(epochs=12, decay=0.9),
    sampling=Sampling(batch_size=16),
)
_CLIP, _START = "walking_1", 60


def demo(out: Path = Path("runs/demo"), seconds: float = 150.0, seed: int = 0) -> None:
    """Train a small msrgcn on the bundled CMU clips, compare it with others, and draw a forecast.

    The others are zero velocity and the weights that come with the library.

    Args:
        out: Folder to write; an earlier demo there is replaced.
        seconds: Most time that training may take; on a slow machine it then ends before its last epoch.
        seed: Seed of initial weights, order and dropout.
    """
    if seconds <= 0:
        raise ConfigError(f"seconds: expected a positive time for training, got {seconds:g}.")
    import_optional("matplotlib", extra="viz", purpose="The demonstration's animation")
    motion = read("cmu", "samples")
    (out / "training.safetensors").unlink(missing_ok=True)
    training.seed_everything(seed)
    model = registry.build("msrgcn", skeleton=motion.skeleton, **_SETTINGS)
    print(f"training msrgcn with {_SETTINGS} for {_RECIPE.schedule.epochs} epochs, at most {seconds:.0f} s")
    run = training.train(model, motion, out, recipe=_RECIPE, options=training.Options(seed=seed, time_limit=seconds))
    best = checkpoint.load(run.folder)

    clips = motion.select("test")
    protocol = evaluation.Protocol(motion.name, actions=tuple(clip.action for clip in clips))
    results: dict[str, evaluation.Result] = {}
    forecasters = {"msrgcn": best, "zero-velocity": registry.build("zero-velocity", skeleton="cmu")}
    if reference := weights.default():
        forecasters[reference] = checkpoint.load(reference)
    for name, forecaster in forecasters.items():
        with progress_bar(name) as progress:
            results[name] = evaluation.evaluate(forecaster, motion, protocol, progress=progress)
        results[name].save(out / f"{name.replace('/', '-')}.json")
        print(f"\n{name} on test clips, which it never trained on\n{results[name].table()}")
    print()
    for name in (name for name in results if name != "zero-velocity"):
        ratio = results[name].mean / results["zero-velocity"].mean
        print(f"{name}'s error is {ratio:.0%} of zero velocity's")

    from posegraph import viz

    clip = next(clip for clip in clips if clip.name == _CLIP)
    result = forecast_clip(best, clip, _START)
    gif = viz.animate(
        {"msrgcn": result}, out / "forecast.gif", title=f"msrgcn on {clip.name} (CMU Mocap)", root=clip.root
    )
    print(f"\ncheckpoint  {out / 'best'}\nanimation   {gif}\n\nTo use the checkpoint in Python:\n")
    print(
        "    from posegraph import checkpoint, data\n"
        "    from posegraph.forecast import forecast_clip\n\n"
        f'    model = checkpoint.load("{(out / "best").as_posix()}")\n'
        f'    clip = data.load("cmu", "samples", split="test", actions=["{clip.action}"]).select("test")[0]\n'
        f"    print(forecast_clip(model, clip, start={_START}).forecast.shape)"
    )
