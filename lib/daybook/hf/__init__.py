"""Models run on this machine by torch and transformers, and the child processes that hold them.

Nothing is imported here: whoever asks for a path must not pay for torch.
"""
