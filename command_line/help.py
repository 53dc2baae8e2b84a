"""The short help of ``train.py``, before any heavy import."""

import re

from command_line.catalogue import broken, plugins
from console.fitting import fitted

HELP = """\
Does your alignment loss beat saturation?

  python train.py
      the main job: the verdict on a simulated FACED cohort
  python train.py --loss NAME [--data FACED --data.root DIR]
      the same for your loss, on your data
  python train.py --loss A,B,C
      several losses and one table, corrected for their number
  python train.py --loss A+B --loss.A.weight W
      two strategies at once
  python train.py --loss xeeg --source SEEDV --source.root DIR
      a strategy that also trains on a second data set
  python train.py fit --loss NAME --loss.weight W --config configs/faced.yaml
      one training run; settings from files, later ones win
  python train.py validate | test | predict RUN_DIR
      scores or predictions of a trained run, from its folder
  python train.py pretrain --objective NAME ...
      an encoder learns before there are labels; pretrain --help
  python train.py fit --loss.help NAME
      the flags of one loss (also --network.help, --data.help)
  python train.py fit --help
      every flag of a run, which a verdict takes, too

"""
MORE = """
Flags of a run that have a short name:
  --seed N        of one run (default 42)
  --axis FILE     of python -m vaxis extract (default that of the bundled model)
  --run_dir DIR   where it lies (default runs/, named by what was asked)
  --online        send it to the W&B server (default: an offline record)

Sweeps: python -m sweeps. The axis: python -m vaxis. Finished runs: python -m analysis. The paper's tables: python -m
paper. Data: python -m datamodules. W&B: python -m tracking.
"""


def short_help(flags: str) -> str:
    """Usage and the plug-ins in the folders, each with the first line of its docstring.

    Args:
        flags: of the verdict, as its own parser shows them.
    """
    parts = [fitted(HELP), flags, fitted(MORE)]
    for kind in ("loss", "network", "data"):
        found = plugins(kind)
        column = max(len(plugin.name) for plugin in found)
        rows = "\n".join(f"  {plugin.name:<{column}}  {plugin.summary}" for plugin in found)
        unread = "".join(f"\n  LEFT OUT: {problem}" for problem in broken(kind).values())
        parts.append(fitted(f"--{kind}\n{rows}{unread}\n"))
    return "\n".join(parts)


def fit_help(text: str) -> str:
    """The help of ``fit`` as its parser makes it, without a usage that lists all flags: they follow, explained."""
    usage, gap, rest = text.partition("\n\n")
    if usage.startswith("usage:") and " fit " in usage.replace("\n", " "):
        usage = (
            "usage: python train.py fit [FLAG VALUE] ...\n  of a loss: --loss.help NAME; so --network.help, --data.help"
        )
    rest = re.sub(r"\{[\w,]{40,}\}", lambda choices: choices[0].replace(",", ", "), rest)  # may be broken there
    return fitted(f"{usage}{gap}{rest}") + "\n"
