"""The one LightningModule: any network, any head, any alignment strategy."""

from typing import Any, cast

import torch
import torch.nn.functional as F
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torchmetrics.classification import MulticlassConfusionMatrix

from eeg.batch import Batch, DataSpec, Record, SourceBatch
from eeg.tokens import no_electrodes
from lightning_modules import contents
from lightning_modules import control as control_targets
from lightning_modules.heads import HeadName, build_head, check_labels
from lightning_modules.optimisation import Optimisation, configure
from lightning_modules.phases import PhasedModule
from lightning_modules.pretraining import check_apart
from lightning_modules.step import training_losses
from losses.base import AlignmentLoss, LossSpec, Output
from losses.none import NoAlignment
from measures.scores import classification_scores
from networks.base import Network, checked_grid
from records.result import SEEN, TESTS
from vaxis.axis import Axis
from vaxis.targets import Targets


class Decoder(PhasedModule):
    """EEG to emotion class, trained on labels and, where a strategy is plugged in, on the valence axis.

    Total loss = label-smoothed cross-entropy + weight * alignment (or what the strategy's ``combine`` makes of them).
    A strategy of weight 0 leaves the plain decoder bit for bit: heads are built under a random state of their own, and
    every epoch starts from a random state that depends on seed, epoch and rank only, so runs of one seed stay paired
    and a resumed run repeats the interrupted one.

    Args:
        network: encoder from EEG to tokens; sized by the data.
        loss: alignment strategy.
        axis: path of the axis artifact; by default the one that belongs to the data (``data.axis_path``).
        positions: which stimulus positions of the artifact to use; by default the most informative it has.
        control: align with something else than the axis: ``random`` (its own positions in an order that means nothing,
            another for each seed) or the path of another artifact. Everything is still measured along the axis.
        head: classifier on the tokens: mean_linear on their mean; folded_clips to clips, summed to classes; emod,
            flatten_mlp, flatten_two, flatten_linear, conformer as the papers have them (lightning_modules/heads.py).
        head_dropout: dropout inside the head.
        label_smoothing: of the cross-entropy.
        optimisation: optimiser and schedule.
    """

    network: Network

    def __init__(
        self,
        *,
        network: Network,
        loss: AlignmentLoss,
        axis: str | None = None,
        positions: str | None = None,
        control: str | None = None,
        head: HeadName = "mean_linear",
        head_dropout: float = 0.25,
        label_smoothing: float = 0.1,
        optimisation: Optimisation = Optimisation(),  # noqa: B008 - frozen
    ) -> None:
        super().__init__()
        self.network = network
        self.loss = loss if loss.active else NoAlignment()
        if self.loss.needs_electrodes and not network.keeps_electrodes:
            raise ValueError(no_electrodes(self.loss.name, network=network.name))
        if axis is not None and not axis.strip():
            raise ValueError("--axis is empty; name the file of an axis, or leave it out for the one of the data")
        if not 0 <= head_dropout < 1:
            raise ValueError(f"--model.head_dropout must be 0 or more and below 1, got {head_dropout}")
        self.axis, self.positions = axis, positions
        self.control = None if isinstance(self.loss, NoAlignment) else control
        if self.control:
            control_targets.check_controllable(self.loss)
        self.head, self.head_dropout = head, head_dropout
        self.label_smoothing, self.optimisation = label_smoothing, optimisation
        self.spec: DataSpec | None = None
        self.targets: Targets | None = None
        self.axis_artifact: Axis | None = None
        self.source_axis: Axis | None = None
        self.control_axis: Axis | None = None
        self.settings: dict[str, Any] | None = None  # of the whole run; the command line gives them
        self.record: Record | None = None

    def configure_model(self) -> None:
        if self.spec is None:
            data = self._run.datamodule
            check_labels(self.head, labels=getattr(data, "labels", None))
            self.axis = str(self.axis or data.axis_path)
            source = data.source and Axis.load(data.source.axis_path)
            self.control_axis = control_targets.axis_of(self.control)
            with torch.device("cpu"):  # Lightning would draw weights, and make targets, on the device of the run
                self.build_on(Axis.load(self.axis), spec=data.spec, source=source, epochs=self._run.max_epochs)
            check_apart(self.network, self.loss, data=data)
            self.trainer.fit_loop.max_epochs = sum(phase.epochs for phase in self.phases)
            if self._run.fast_dev_run:
                self.trainer.fit_loop.epoch_loop.max_steps *= len(self.phases)

    @property
    def _run(self) -> Any:
        """The Trainer, untyped: data module and options are set on it from outside its class."""
        return self.trainer

    def build_on(self, axis: Axis, *, spec: DataSpec, source: Axis | None = None, epochs: int = 1) -> None:
        """Size everything for data and axis, and remember the axis for the checkpoint.

        Args:
            axis: of the data.
            spec: facts of the data.
            source: axis of the second data set, for a strategy that trains on one.
            epochs: of the last phase.
        """
        self.axis_artifact, self.source_axis = axis, source
        self.build(
            spec=spec,
            targets=Targets.from_axis(axis, source=self.positions),
            source=Targets.from_axis(source) if source else None,
            epochs=epochs,
        )

    def build(self, *, spec: DataSpec, targets: Targets, source: Targets | None = None, epochs: int = 1) -> None:
        """Size network, heads and strategy for the data; the Trainer does this after the data is set up.

        Args:
            spec: facts of the data.
            targets: axis positions of its clips.
            source: axis positions of the second data set, for a strategy that trains on one.
            epochs: of the last phase.

        Raises:
            ValueError: the axis was made for other stimuli than the data has.
        """
        if tuple(targets.class_of.tolist()) != tuple(spec.class_of):
            raise ValueError(
                f"the axis {self.axis} is not of the stimuli of {spec.dataset}; extract it for that taxonomy"
            )
        self.spec, self.targets, self.seed = spec, targets, torch.initial_seed()
        aligned, second = targets, source
        if self.control:
            aligned, second = control_targets.controlled(
                self.control, axis=self.control_axis, targets=targets, source=source, seed=self.seed
            )
        # devices=[]: parameters are made on the processor; the default would open every GPU from every rank.
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            self.network.build(spec)
            self.grid = checked_grid(self.network, spec)
            self.classifier = self.new_head(targets)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed + 1)
            if source:
                self.source_classifier = self.new_head(source)
            self.loss.build(LossSpec(targets=aligned, dim=self.network.dim, data=spec, grid=self.grid, source=second))
            self.loss.prepare(self)
        self.plan(self.loss.phases(epochs))
        # Unchecked: that would wait for the device. Labels are checked when read, logits before the first epoch.
        self.confusion = MulticlassConfusionMatrix(len(spec.classes), validate_args=False)
        # Of the test people on clips of the training.
        self.confusion_seen = MulticlassConfusionMatrix(len(spec.classes), validate_args=False)

    @property
    def control_name(self) -> str | None:
        """What the strategy was given in the place of the axis; None for the axis itself."""
        return control_targets.name_of(self.control, self.control_axis)

    def new_head(self, targets: Targets) -> nn.Module:
        """A classifier of the chosen kind for the classes and clips of a data set, with random weights."""
        return build_head(
            self.head,
            rows=self.grid.rows,
            n_tokens=self.grid.columns,
            dim=self.network.dim,
            n_classes=len(targets.v_class),
            dropout=self.head_dropout,
            class_of=targets.class_of.tolist(),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Logits (B, K); reads the signal and nothing else."""
        return self.classifier(self.network(x))

    def training_step(self, batch: Batch, batch_idx: int) -> Tensor:
        second = isinstance(batch, SourceBatch)
        classifier = self.source_classifier if second else self.classifier
        output = self.output(batch.x, classifier)
        phase = self.phase
        task, alignment, total = training_losses(
            output,
            batch,
            phase=phase,
            strategy=self.loss,
            seen=self.seen_by_loss,
            label_smoothing=self.label_smoothing,
            progress=self.progress(batch_idx),
            task_loss=getattr(classifier, "task_loss", None),
        )
        if len(self.phases) > 1 or phase.data != "main":
            # Whatever this phase leaves out takes part with gradient zero: DDP waits for every parameter.
            total = total + 0.0 * sum(p.sum() for p in self.parameters() if p.requires_grad)
        seen = task if phase.task else None
        self.record = None if second else Record(batch, output.logits, output.h, output.tokens, seen, alignment)
        if (self.global_step + 1) % self._run.log_every_n_steps == 0:
            self._log_step(task, alignment, total)
        return total

    def output(self, x: Tensor, classifier: nn.Module) -> Output:
        """Logits of a classifier, features and tokens of a batch."""
        tokens = self.network(x)
        if self.training and not tokens.requires_grad:
            tokens.requires_grad_()  # of an encoder that is frozen for good; callbacks ask for gradients at its tokens
        return Output(logits=classifier(tokens), h=tokens.mean(dim=(1, 2)), tokens=tokens)

    def seen_by_loss(self, output: Output, batch: Batch) -> tuple[Output, Batch]:
        """What the strategy reads, in float32; of the trials of all ranks, with gradients, when it couples trials.

        The gather is done here and once, so no strategy ever sees DDP. Its backward sums over ranks and DDP averages,
        which together give the gradient of one process on the whole batch.
        """
        fields = {name: getattr(output, name).float() for name in self.loss.reads if name != "x"}
        if self.loss.couples_samples and self._trainer is not None and self.trainer.world_size > 1:
            fields = {name: self._gather(value, sync_grads=True) for name, value in fields.items()}
            batch = type(batch)(*(self._gather(value) for value in batch))
        return Output(**fields), batch

    def _gather(self, value: Tensor, *, sync_grads: bool = False) -> Tensor:
        gathered = self.all_gather(value, sync_grads=sync_grads)
        assert isinstance(gathered, Tensor)  # a tensor in, a tensor out
        return gathered.flatten(0, 1)

    def _log_step(self, task: Tensor, alignment: Tensor | None, total: Tensor) -> None:
        values = {"train/task": task, "train/total": total, "train/alignment": alignment}
        self.log_dict({name: value.detach() for name, value in values.items() if value is not None}, sync_dist=True)

    def validation_step(self, batch: Batch, batch_idx: int) -> None:
        self._evaluate(batch, self.confusion)

    def test_step(self, batch: Batch, batch_idx: int, dataloader_idx: int = 0) -> None:
        self._evaluate(batch, self.confusion_seen if TESTS[dataloader_idx] == SEEN else self.confusion)

    def predict_step(self, batch: Batch, batch_idx: int) -> Tensor:
        return self(batch.x).softmax(dim=1)

    def _evaluate(self, batch: Batch, confusion: MulticlassConfusionMatrix) -> None:
        output = self.output(batch.x, self.classifier)
        task = F.cross_entropy(output.logits.float(), batch.y)
        self.record = Record(batch, output.logits, output.h, output.tokens, task, None)
        confusion.update(output.logits, batch.y)

    def on_validation_epoch_end(self) -> None:
        self._log_scores("val", self.confusion)

    def on_test_epoch_end(self) -> None:
        for split, confusion in zip(TESTS[: len(self.trainer.num_test_batches)], (self.confusion, self.confusion_seen)):
            self._log_scores(split, confusion)

    def _log_scores(self, split: str, confusion: MulticlassConfusionMatrix) -> None:
        assert self.spec is not None  # nothing is evaluated before the decoder is built
        # The confusion matrix is summed over ranks by torchmetrics, so every rank logs the same exact numbers.
        values = classification_scores(confusion.compute().cpu().numpy(), classes=self.spec.classes)
        for name in ("balanced_accuracy", "chance", "kappa", "weighted_f1"):
            self.log(f"{split}/{name}", values[name], prog_bar=name == "balanced_accuracy")
        confusion.reset()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Refuse what would not fit, by the name of the file that the Trainer is reading."""
        if file := self._trainer and self._trainer.ckpt_path:
            contents.check_fits(self, checkpoint["state_dict"], file=file)
        super().on_load_checkpoint(checkpoint)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        """Make the checkpoint complete in itself; a decoder that was built by hand knows no axis and cannot."""
        super().on_save_checkpoint(checkpoint)
        if self.axis_artifact is not None:
            assert self.spec is not None and self.targets is not None  # noqa: PT018 - build_on sets all three
            checkpoint[contents.KEY] = contents.pack(
                settings=self.settings,
                spec=self.spec,
                axis=self.axis_artifact,
                positions=self.targets.source,
                source_axis=self.source_axis,
                control_axis=self.control_axis,
                data=self._run.datamodule,
            )

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        trained = self.trained_parameters()
        steps = int(self.trainer.estimated_stepping_batches)  # a run is counted in epochs, so the number is finite
        recipe = configure(
            self.optimisation,
            encoder_params=[p for name, p in trained if name.startswith("network.")],
            encoder_names=[name for name, _ in trained if name.startswith("network.")],
            other_params=[p for name, p in trained if not name.startswith("network.")],
            steps_per_epoch=max(1, steps // max(1, self._run.max_epochs)),
            epochs=self.phase.epochs,
        )
        return cast(OptimizerLRSchedulerConfig, recipe)
