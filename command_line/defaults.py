"""What Trainer and checkpoints do here unless told otherwise."""

TRAINER_DEFAULTS = {
    "accelerator": "auto",
    "devices": 1,
    "max_epochs": 30,
    "deterministic": "warn",
    "num_sanity_val_steps": 0,
    "log_every_n_steps": 25,
    "use_distributed_sampler": False,
    "enable_model_summary": False,
}
CHECKPOINT_DEFAULTS = {
    "monitor": "val/balanced_accuracy",
    "mode": "max",
    "filename": "best",
    "save_last": True,
    "enable_version_counter": False,
}
