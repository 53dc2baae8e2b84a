"""The short help of ``train.py``, before any heavy import."""

from command_line.catalogue import broken, plugins

HELP = """\
Does your alignment loss beat saturation?

  python train.py                                             the main job: verdict on a simulated FACED cohort
  python train.py --loss NAME [--data FACED --data.root DIR]  the same verdict for your loss, your data
  python train.py fit --loss NAME --loss.weight W ...         one training run
  python train.py fit --config configs/faced.yaml ...         settings from files, later ones win
  python train.py --loss A+B --loss.A.weight W ...            two strategies at once
  python train.py --loss xeeg --source SEEDV --source.root DIR ...  a strategy that also trains on a second data set
  python train.py fit --loss.help NAME                        the flags of one loss (also --network.help, --data.help)
  python train.py fit --help                                  every flag
  python train.py validate | test | predict RUN_DIR           scores or predictions of a trained run, from its folder
  python train.py pretrain --objective NAME ...               an encoder learns before there are labels; pretrain --help

The paper's table: python -m paper interventions   Sweeps: python -m sweeps.search   The axis: python -m vaxis

Flags of the verdict: --seeds 42,123,456,789,2025 | auto   --devices 0,1,...   --devices_per_run N
  --runs_per_device N | auto (of a GPU, or of the processor)   --planted
  --loss A,B,C (a table)   --controls random,arousal | none   --lengths 10,20,40   --new_clips   --margin 0.01
Short flags:          --seed N   --axis FILE   --run_dir DIR   --online (W&B server; offline otherwise)
"""


def short_help() -> str:
    """Usage and the plug-ins in the folders, each with the first line of its docstring."""
    parts = [HELP]
    for kind in ("loss", "network", "data"):
        rows = "\n".join(f"  {plugin.name:<17} {plugin.summary}" for plugin in plugins(kind))
        unread = "".join(f"\n  LEFT OUT: {problem}" for problem in broken(kind).values())
        parts.append(f"--{kind}\n{rows}{unread}\n")
    return "\n".join(parts)
