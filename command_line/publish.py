"""A finished run as a model for others: ``python -m command_line.publish RUN_DIR --out DIR [--push OWNER/NAME]``.

Writes config.json, model.safetensors and a card that states data, protocol and scores; nothing leaves the machine
without --push.
"""

import copy
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from command_line.reopen import OpenRun, open_run
from console.arguments import Arguments
from console.errors import one_line_errors
from lightning_modules.portable import PortableDecoder
from losses._adapters import merge
from records.layout import RunDirectory
from records.run import Run


def portable(run: OpenRun) -> PortableDecoder:
    """The decoder of a run without the Trainer, the strategy and the data module; its logits are the run's.

    Raises:
        ValueError: it needs more than a trial to normalise it.
    """
    spec, decoder, statistics = run.contents.spec, run.decoder, run.contents.statistics
    kind = statistics.get("normalise", "none")
    if kind in ("subject", "projected"):
        raise ValueError(
            f"the run was trained with --data.normalise {kind}, which a model of single trials does not do; train one "
            "with --data.normalise train"
        )
    network = run.contents.settings["network"]
    # Where the network started from is in its weights by now.
    options = {k: v for k, v in network.get("init_args", {}).items() if k != "weights"}
    made = PortableDecoder(
        n_chans=spec.shape[0],
        n_times=spec.shape[1],
        n_outputs=len(spec.classes),
        sfreq=spec.sampling_rate if spec.features == "raw" else 1.0,
        channels=list(spec.channels),
        network=network["class_path"],
        options=options,
        head=decoder.head,
        head_dropout=decoder.head_dropout,
        clip_classes=list(spec.class_of) if decoder.head == "folded_clips" else None,
        features=spec.features,
    )
    encoder = copy.deepcopy(decoder.network).cpu()
    merge(encoder)  # what adapters do is written into the weights
    made.network.load_state_dict(encoder.state_dict())
    made.final_layer.load_state_dict(decoder.classifier.state_dict())
    if statistics:
        known = list(statistics["channels"])
        rows = [known.index(channel) for channel in spec.channels] if len(statistics["centre"][0]) > 1 else slice(None)
        made.centre.copy_(statistics["centre"][0][rows])
        made.spread.copy_(statistics["spread"][0][rows])
    return made.eval()


def card(run: OpenRun, folder: Path) -> dict[str, Any]:
    """What the model card says of a run; scores only where the run is finished."""
    spec, settings = run.contents.spec, run.contents.settings
    facts: dict[str, Any] = {
        "data": f"{spec.dataset}{', SIMULATED' if spec.simulated else ''}, {spec.features}",
        "split": settings["data"]["init_args"].get("split", "that of the data module"),
        "alignment": settings["loss"]["class_path"].rsplit(".", 2)[1],
        "seed": settings["seed_everything"],
    }
    if RunDirectory(folder).result.is_file():
        finished = Run.load(folder)
        facts["test balanced accuracy"] = f"{finished.score('balanced_accuracy'):.3f} (chance {finished.chance:.3f})"
        facts["test kappa"] = f"{finished.score('kappa'):.3f}"
    unit = "microvolt" if spec.features == "raw" else f"{spec.features} as the data set ships them"
    return {
        "title": f"{settings['network']['class_path'].rsplit('.', 1)[1]} on {spec.dataset}",
        "about": "A research decoder of emotion from EEG, for no decision about a person. Where the split below holds "
        "no clips back, the clips of its test were seen in training, and accuracy on new clips is far lower.",
        "input": f"(B, {', '.join(map(str, spec.shape))}), {unit}, electrodes in the order of config.json",
        "classes": ", ".join(spec.classes),
        "facts": facts,
    }


def main(args: Sequence[str] | None = None) -> None:
    """Write the folder, and push it where asked.

    Args:
        args: words after the command; by default those of the process.
    """
    parser = Arguments("python -m command_line.publish", about=__doc__)
    parser.add_argument("run", metavar="RUN_DIR", type=Path, help="folder of a run")
    parser.add_argument("--out", metavar="DIR", type=Path, required=True, help="new or empty folder to write")
    parser.add_argument("--checkpoint", default="best", help="best, last or a checkpoint file")
    parser.add_argument("--push", metavar="OWNER/NAME", help="also upload it there, private")
    options = parser.parse_args(sys.argv[1:] if args is None else list(args))
    with one_line_errors():
        if options.out.exists() and any(options.out.iterdir()):
            raise ValueError(f"--out {options.out} is not empty; name a new folder")
        run = open_run(options.run, checkpoint=options.checkpoint, device="cpu")
        made = portable(run)
        upload = {"push_to_hub": True, "repo_id": options.push, "private": True} if options.push else {}
        made.save_pretrained(options.out, model_card_kwargs=card(run, options.run), **upload)
        print(f"{options.out}: config.json, model.safetensors, README.md")


if __name__ == "__main__":
    main()
