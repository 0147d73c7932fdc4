"""The engine of a training: recipes, LoRA, encoder, checkpoints, jobs, hosted trainings.

Nothing is imported here: whoever asks for an estimate must not pay for torch.
"""
