"""Data gates, estimates and training. `base`, `embed`, `heads`, `lora` and `encoder` know torch; the rest does not.

Nothing is imported here: whoever asks for a gate must not pay for torch.
"""
