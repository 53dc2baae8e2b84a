"""``python -m paper reproduce NAME``: a published decoder trained by its recipe, and whether its number came out."""

import json
import math
import shlex
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from console.arguments import Arguments
from paper import training

if TYPE_CHECKING:
    import argparse

    from command_line.settings import RunSettings
    from paper.recipes import Single

FORMAT = 1
# Settings that say where things lie and how they are computed; the weights are a point of their own.
NO_MATTER = (
    *(
        "data.class_path",
        "data.init_args.root",
        "data.init_args.cache",
        "data.init_args.workers",
        "data.init_args.axis",
    ),
    *("data.init_args.residence", "data.init_args.verify", "data.init_args.mirror", "network.init_args.weights"),
    *("model.axis", "seed_everything", "group", "online", "project", "checkpoint.keep_every"),
    *("trainer.devices", "trainer.accelerator", "trainer.default_root_dir", "trainer.logger"),
    "trainer.enable_progress_bar",
)
ABOUT = """\
A published decoder by its own recipe and seeds, beside its published number.

  python -m paper reproduce                    the names, with protocol and command
  python -m paper reproduce NAME --run --data FACED --data.root DIR [--devices 0,1,...] [FLAGS]

Without --data a simulated cohort is trained on: the machinery runs, and the answer says that nothing is reproduced.
A repeated or interrupted command goes on where it was."""


def main(argv: Sequence[str]) -> int:
    """Run the command; returns its exit code.

    Raises:
        ValueError: there is no decoder of that name.
    """
    from paper.recipes import singles

    parser = Arguments("python -m paper reproduce", about=ABOUT)
    parser.add_argument("name", nargs="?", help="of the decoder")
    training.add_arguments(parser, seeds=None)
    args, words = parser.parse_known_args(list(argv))
    known = singles()
    if args.name is None:
        print("\n\n".join(_described(single, words) for single in known.values()))
        return 0
    if args.name not in known:
        raise ValueError(f"no published decoder '{args.name}'; there are: {', '.join(known)}")
    if not args.run:
        print(_described(known[args.name], words))
        return 0
    print(_run(known[args.name], args, words, command=shlex.join(["python", "-m", "paper", "reproduce", *argv])))
    return 0


def answer(single: "Single", scores: Sequence[float], *, differs: Sequence[str]) -> tuple[str, tuple[float, float]]:
    """Whether the published number lies within the interval of ours, in a sentence; and that interval.

    With one seed there is no interval, so nothing is called reproduced. Where the source prints a spread over seeds,
    its number is uncertain, too: the two are then compared by Welch's test.

    Args:
        single: what was published.
        scores: ours, one a seed.
        differs: known differences from its protocol.
    """
    from scipy import stats

    n, mean = len(scores), float(np.mean(scores))
    if n < 2:
        interval, verdict = (math.nan, math.nan), "one seed has no interval, so neither reproduced nor not"
    else:
        error, df = float(np.std(scores, ddof=1)) / math.sqrt(n), float(n - 1)
        if single.sd and len(single.seeds) > 1:
            theirs = single.sd / math.sqrt(len(single.seeds))
            total = error**2 + theirs**2
            df = total**2 / (error**4 / (n - 1) + theirs**4 / (len(single.seeds) - 1))
            error = math.sqrt(total)
        half = float(stats.t.ppf(0.975, df)) * error
        interval = mean - half, mean + half
        inside = interval[0] <= single.published <= interval[1]
        verdict = f"{'reproduced within' if inside else 'not reproduced: outside'} the 95 % interval"
        verdict += f" [{interval[0]:.4f}, {interval[1]:.4f}]" + (
            " (of the difference, about ours)" if single.sd else ""
        )
    if differs:
        verdict = f"not a reproduction ({'; '.join(differs)}). Taken as numbers: {verdict}"
    return f"{single.label}: published {single.published:.4f}, ours {mean:.4f} over {n} seeds; {verdict}.", interval


def _run(single: "Single", args: "argparse.Namespace", words: Sequence[str], *, command: str) -> str:
    from analysis.base import finite
    from command_line.settings import RunSettings
    from command_line.words import normalise
    from records.files import atomic
    from records.run import Run
    from studies.seeds import numbers

    seeds = numbers(args.seeds, flag="--seeds") if args.seeds else single.seeds
    run = RunSettings.parse(normalise([*shlex.split(single.flags), *words]))
    arms, simulated = training.train({single.name: run}, args, seeds)
    arm = arms[single.name]
    runs = [Run.load(arm.run_dir(seed)) for seed in seeds]
    mirror = any(r.result.get("differences") for r in runs)
    differs = _differences(single, run, seeds=seeds, simulated=simulated, mirror=mirror)
    sentence, interval = answer(single, [r.score("balanced_accuracy") for r in runs], differs=differs)
    scores = {str(r.seed): r.score("balanced_accuracy") for r in runs}
    content = {"format": FORMAT, "analysis": "reproduce", "name": single.name, "command": command, "sentence": sentence,
               "published": single.published, "scores": scores, "interval": interval, "differs": differs,
               "protocol": single.protocol, "simulated": simulated}  # fmt: skip
    file = arm.path.parent / f"reproduce-{single.name}.json"
    with atomic(file) as partial:
        partial.write_text(json.dumps(finite(content), indent=1, allow_nan=False) + "\n", encoding="utf-8")
    return f"\n{sentence}\nprotocol: {single.protocol}\nwritten  {file}"


def _differences(
    single: "Single", run: "RunSettings", *, seeds: Sequence[int], simulated: bool, mirror: bool
) -> list[str]:
    """What is known to differ from the protocol of the source: data, weights, seeds, and what flags changed."""
    from command_line.settings import RunSettings
    from command_line.words import normalise

    found = ["the data are SIMULATED"] if simulated else []
    if mirror:
        found.append("the files are a mirror of FACED and not its Processed_data")
    own = run.value("network.init_args") or {}
    if single.weights and not own.get("weights"):
        found.append("trained from scratch, without the pretrained weights")
    if len(seeds) < len(single.seeds):
        found.append(f"{len(seeds)} seeds instead of {len(single.seeds)}")
    recipe = RunSettings.parse(normalise(shlex.split(single.flags)))
    before, now = (_flat(settings.content) for settings in (recipe, run))
    # Of another data module only what both have can be compared; the rest is where its files are.
    for name in before.keys() & now.keys() if before["data.class_path"] != now["data.class_path"] else now:
        if before.get(name) != now[name] and not name.startswith(NO_MATTER):
            found.append(f"{name.replace('init_args.', '')} {now[name]} instead of {before.get(name)}")
    return found


def _flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested settings as one level of dotted names."""
    found: dict[str, Any] = {}
    for name, value in content.items():
        found |= _flat(value, f"{prefix}{name}.") if isinstance(value, dict) else {f"{prefix}{name}": value}
    return found


def _described(single: "Single", words: Sequence[str]) -> str:
    spread = f" ± {single.sd}" if single.sd else ""
    lines = [
        f"{single.name}: {single.label}, published {single.published}{spread}",
        f"  source    {single.source}",
        f"  protocol  {single.protocol}",
        f"  weights   {single.weights or 'none'}",
        f"  one run   python train.py fit {shlex.join([*shlex.split(single.flags), *words])}",
    ]
    return "\n".join(lines)
